import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { companionsOf, findByName, type TlsIdentity } from "../../src/tls/tls-identity.ts";

const identities = [
  { names: ["localhost", "a.test"] },
  { names: ["*.a.test", "*.test"] },
  { names: ["b.a.test"] },
  { names: ["b.a.test", "*.a.test", "*.xn--nxasmq6b.test"] },
  { names: ["*.b.example"] },
  { names: [] },
];

const cases: [name: string, serverName: string, want: number][] = [
  ["an exact name", "a.test", 0],
  ["in any case", "LocalHost", 0],
  ["with the dot of the root", "a.test.", 0],
  ["an exact name is nearer than an earlier wildcard", "b.a.test", 2],
  ["a wildcard stands for a label", "c.a.test", 1],
  ["a wildcard in any case, with a dot", "C.A.TEST.", 1],
  ["a wildcard stands for no more than one label", "c.c.a.test", -1],
  ["a wildcard does not stand for nothing", "b.example", -1],
  ["a wildcard for an international name", "x.xn--nxasmq6b.test", 3],
  ["a single label", "test", -1],
  ["a name beside", "nota.example", -1],
  ["a name that only ends so", "xa.testing", -1],
  ["no label before the dot", ".a.test", -1],
  ["nothing", "", -1],
  ["a dot", ".", -1],
  ["the wildcard itself, said by a client", "*.a.test", 1],
];
for (const [name, serverName, want] of cases) {
  test(`findByName: ${name}`, () => assert.equal(findByName(identities, serverName), want));
}

test("findByName: none to choose from", () => assert.equal(findByName([], "a.test"), -1));

test("findByName takes any text, and what it finds has that name or a wildcard for it", () => {
  const label = fc.constantFrom("a", "b", "*", "", "test");
  const dotted = fc.array(label, { maxLength: 4 }).map((labels) => labels.join("."));
  const lists = fc.array(fc.record({ names: fc.array(dotted) }));
  fc.assert(
    fc.property(lists, fc.oneof(dotted, fc.string()), (list, name) => {
      const place = findByName(list, name);
      const wanted = name.toLowerCase().replace(/\.$/, "");
      const wildcard = wanted.replace(/^[^.]+(?=\.)/, "*");
      if (place === -1) assert.ok(list.every(({ names }) => !names.includes(wanted)));
      else assert.ok(list[place]?.names.some((each) => each === wanted || each === wildcard));
    }),
  );
});

function identity(file: string, keyType: string, allNames: readonly string[]): TlsIdentity {
  const names = allNames.filter((name) => name.startsWith("DNS:")).map((name) => name.slice("DNS:".length));
  return { file, keyType, names, allNames, certificates: "", key: "", dhParameters: undefined, staple: undefined };
}

const rsa = identity("rsa", "rsa", ["DNS:a.test", "DNS:b.test"]);
const ec = identity("ec", "ec", ["DNS:b.test", "DNS:A.test"]);
const secondEc = identity("second ec", "ec", ["DNS:a.test", "DNS:b.test"]);
const elsewhere = identity("elsewhere", "ec", ["DNS:a.test"]);
const alsoAddress = identity("also an address", "ec", ["DNS:a.test", "DNS:b.test", "IP Address:192.0.2.1"]);
const address = identity("address", "rsa", ["IP Address:192.0.2.1"]);
const otherAddress = identity("other address", "ec", ["IP Address:192.0.2.2"]);
const sameAddress = identity("same address", "ec", ["IP Address:192.0.2.1"]);
const mail = identity("mail", "ec", ["email:a@a.test"]);
const uri = identity("uri", "ed25519", ["URI:https://a.test/"]);
const nameless = identity("nameless", "rsa", []);
const alsoNameless = identity("also nameless", "ec", []);
const companions: [name: string, own: TlsIdentity, all: TlsIdentity[], want: TlsIdentity[]][] = [
  ["alone", rsa, [rsa], [rsa]],
  ["another type of key for the same names, in any order and case", rsa, [rsa, ec], [rsa, ec]],
  ["seen from the other side it comes first itself", ec, [rsa, ec], [ec, rsa]],
  ["the same type of key", ec, [ec, secondEc], [ec]],
  ["of two of the other type the first", rsa, [rsa, ec, secondEc], [rsa, ec]],
  ["some of the names only", rsa, [rsa, elsewhere], [rsa]],
  ["an address besides", rsa, [rsa, alsoAddress], [rsa]],
  ["two for addresses", address, [address, otherAddress], [address]],
  ["two for the same address", address, [address, sameAddress], [address]],
  ["an address, a mailbox and a URI", address, [address, mail, uri], [address]],
  ["no names at all", nameless, [nameless, alsoNameless], [nameless]],
];
for (const [name, own, all, want] of companions) {
  test(`companionsOf: ${name}`, () => assert.deepEqual(companionsOf(own, all), want));
}
