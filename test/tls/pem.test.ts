import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { type PemParts, splitPem } from "../../src/tls/pem.ts";
import { processorTimeOf } from "../support/processor-time.ts";

const NOTHING: PemParts = { certificates: [], keys: [], dhParameters: [] };

function block(label: string, body = "QUJD\nREVG\n"): string {
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`;
}

const certificate = block("CERTIFICATE");
const other = block("CERTIFICATE", "MTIz\n");
const key = block("PRIVATE KEY");
const crlf = (text: string): string => text.replaceAll("\n", "\r\n");

const cases: [name: string, text: string, want: Partial<PemParts>][] = [
  ["nothing", "", {}],
  ["a certificate", certificate, { certificates: [certificate] }],
  ["its old name", block("X509 CERTIFICATE"), { certificates: [block("X509 CERTIFICATE")] }],
  ["certificates in the order of the file", other + certificate, { certificates: [other, certificate] }],
  ["the same one twice", certificate + certificate, { certificates: [certificate, certificate] }],
  ["a key", key, { keys: [key] }],
  ["an RSA key", block("RSA PRIVATE KEY"), { keys: [block("RSA PRIVATE KEY")] }],
  ["an EC key", block("EC PRIVATE KEY"), { keys: [block("EC PRIVATE KEY")] }],
  ["an encrypted key", block("ENCRYPTED PRIVATE KEY"), { keys: [block("ENCRYPTED PRIVATE KEY")] }],
  [
    "a key that is encrypted the old way",
    block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00FF\n\nQUJD\n"),
    { keys: [block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00FF\n\nQUJD\n")] },
  ],
  ["DH parameters", block("DH PARAMETERS"), { dhParameters: [block("DH PARAMETERS")] }],
  [
    "all of them, in any order",
    block("DH PARAMETERS") + key + certificate,
    { certificates: [certificate], keys: [key], dhParameters: [block("DH PARAMETERS")] },
  ],
  ["other parts are left out", block("EC PARAMETERS") + block("CERTIFICATE REQUEST") + block("PUBLIC KEY"), {}],
  [
    "words around the parts",
    `subject=/CN=a\n${certificate}\n# the key\n${key}bye`,
    { certificates: [certificate], keys: [key] },
  ],
  ["CRLF", crlf(certificate), { certificates: [`${crlf(certificate).slice(0, -2)}\n`] }],
  ["no line end behind it", certificate.trimEnd(), { certificates: [certificate] }],
  [
    "blanks behind the lines",
    "-----BEGIN PRIVATE KEY----- \t\nQUJD \n-----END PRIVATE KEY-----  \n",
    { keys: ["-----BEGIN PRIVATE KEY----- \t\nQUJD \n-----END PRIVATE KEY-----  \n"] },
  ],
  [
    "an empty body, which the next step refuses",
    block("CERTIFICATE", ""),
    { certificates: [block("CERTIFICATE", "")] },
  ],
  ["a body with other letters", block("CERTIFICATE", "QUJ_\n"), {}],
  ["a beginning without an end", "-----BEGIN CERTIFICATE-----\nQUJD\n", {}],
  ["an end without a beginning", "QUJD\n-----END CERTIFICATE-----\n", {}],
  ["an end of another kind", "-----BEGIN CERTIFICATE-----\nQUJD\n-----END PRIVATE KEY-----\n", {}],
  ["a beginning that is cut off, before a whole one", `-----BEGIN CERTIFICATE-----\nQUJD\n${key}`, { keys: [key] }],
  [
    "the same kind cut off, before a whole one",
    `-----BEGIN CERTIFICATE-----\nQUJD\n${certificate}`,
    { certificates: [certificate] },
  ],
  ["a beginning inside a line", ` -----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n`, {}],
  ["four dashes", certificate.replaceAll("-----", "----"), {}],
  ["small letters", certificate.toLowerCase(), {}],
];
for (const [name, text, want] of cases) {
  test(`splitPem: ${name}`, () => assert.deepEqual(splitPem(text), { ...NOTHING, ...want }));
}

const files: [name: string, certificates: number, keys: number, dhParameters: number][] = [
  ["rsa.pem", 2, 1, 1],
  ["p256.pem", 2, 1, 0],
  ["ca.pem", 1, 0, 0],
  ["ffdhe2048.pem", 0, 0, 1],
];
for (const [name, ...want] of files) {
  test(`splitPem: ${name} of the test keys, and nothing of it is lost`, () => {
    const text = readFileSync(new URL(`../../../test/keys/${name}`, import.meta.url), "latin1");
    const { certificates, keys, dhParameters } = splitPem(text);
    assert.deepEqual([certificates.length, keys.length, dhParameters.length], want);
    assert.equal([...certificates, ...keys, ...dhParameters].join(""), text);
  });
}

const words = fc.constantFrom(
  "-----BEGIN ",
  "-----END ",
  "CERTIFICATE",
  "PRIVATE KEY",
  "DH PARAMETERS",
  "-----",
  "-",
  "\n",
  "\r\n",
  " ",
  "\t",
  "QUJD",
  "=",
  "\0",
  "\u2028",
);

test("splitPem: any text is taken, and each part is one whole block of it", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(words, { maxLength: 60 }).map((each) => each.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const { certificates, keys, dhParameters } = splitPem(text);
      for (const part of [...certificates, ...keys, ...dhParameters]) {
        assert.ok(text.includes(part.slice(0, -1)));
        assert.equal(part.split("-----BEGIN ").length, 2);
        assert.equal(part.split("-----END ").length, 2);
      }
    }),
  );
});

test("splitPem: what is found is found again in what was found", () => {
  const parts = fc.array(
    fc.tuple(
      fc.constantFrom("CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY", "DH PARAMETERS", "X509 CRL"),
      fc.base64String(),
      fc.constantFrom("", "\n", "# words\n", "-----\n"),
    ),
  );
  fc.assert(
    fc.property(parts, (blocks) => {
      const text = blocks.map(([label, body, between]) => block(label, `${body}\n`) + between).join("");
      const { certificates, keys, dhParameters } = splitPem(text);
      const count = (isWanted: (label: string) => boolean) => blocks.filter(([label]) => isWanted(label)).length;
      assert.equal(
        certificates.length,
        count((label) => label === "CERTIFICATE"),
      );
      assert.equal(
        keys.length,
        count((label) => label.endsWith("PRIVATE KEY")),
      );
      assert.equal(
        dhParameters.length,
        count((label) => label === "DH PARAMETERS"),
      );
      const again = [...certificates, ...keys, ...dhParameters].join("");
      assert.deepEqual(splitPem(again), { certificates, keys, dhParameters });
    }),
  );
});

const MIB = 1024 * 1024;
const BEGIN = "-----BEGIN CERTIFICATE-----\n";
const upTo = (text: string): string => text.repeat(Math.ceil(MIB / text.length));
const hostile: [name: string, text: string][] = [
  ["dashes", upTo("-")],
  ["lines of dashes", upTo("-----\n")],
  ["beginnings without an end", upTo(BEGIN)],
  ["beginnings, each with a line of its own", upTo(`${BEGIN}QUJD\n`)],
  ["ends that have something behind them", upTo(`${BEGIN}-----END CERTIFICATE-----  x\n`)],
  ["one beginning and ends of another kind", BEGIN + upTo("-----END PRIVATE KEY-----\n")],
  ["one beginning and empty lines", BEGIN + upTo("\n")],
  ["one beginning and short lines", BEGIN + upTo("Q\n")],
  ["one beginning and a long line", BEGIN + upTo("Q")],
  ["a long label", `-----BEGIN ${upTo("A ")}`],
  ["blanks behind a beginning", BEGIN.trimEnd() + upTo(" ")],
];
/** Quadratic time is tens of seconds here, linear time a few milliseconds. */
const MAX_CPU_MS = 3000;
for (const [name, text] of hostile) {
  test(`splitPem: 1 MiB of ${name} costs one pass`, () => {
    assert.ok(processorTimeOf(() => assert.deepEqual(splitPem(text), NOTHING)) < MAX_CPU_MS);
  });
}
