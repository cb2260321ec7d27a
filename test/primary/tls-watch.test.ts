import assert from "node:assert/strict";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TicketKeys } from "../../src/primary/ticket-keys.ts";
import { loadTls } from "../../src/primary/tls-files.ts";
import { TlsWatch } from "../../src/primary/tls-watch.ts";
import type { TlsMaterial, TlsMaterials } from "../../src/tls/tls-identity.ts";
import { tlsSpecs } from "../../src/tls/tls-specs.ts";
import { makeTree } from "../support/file-tree.ts";
import { MemoryEvents } from "../support/memory-events.ts";
import { settingsFrom } from "../support/settings-from.ts";
import { keyPath, readKey } from "../support/tls-client.ts";

const HALF_A_DAY_MS = 12 * 3600 * 1000;

function httpsOf(materials: TlsMaterials): TlsMaterial {
  const https = materials.get("https");
  assert.ok(https?.side === "server");
  return https.material;
}

/**
 * A watch over `cert.pem`, which is p256.pem of the test keys in the beginning.
 * @param openingTime  milliseconds from reading the files to the watch
 */
function openWatch(t: TestContext, more = "", openingTime = 0) {
  const top = makeTree(t);
  const put = (name: string): void => copyFileSync(keyPath(name), join(top, "cert.pem"));
  put("p256.pem");
  for (const file of ["ticket.key", "old.key"]) copyFileSync(keyPath("ticket.key"), join(top, file));
  const specs = tlsSpecs(settingsFrom(top, `[main]\ntls-port = 0\ntls-cert = cert.pem\n${more}`));
  let now = 0;
  const tickets = new TicketKeys(() => now);
  const loaded = loadTls(specs, tickets.current, Date.now());
  now += openingTime;
  const events = new MemoryEvents();
  const renewed: TlsMaterial[] = [];
  const onRenewed = (materials: TlsMaterials): void => void renewed.push(httpsOf(materials));
  let wall = Date.now();
  const watch = new TlsWatch({ specs, loaded, tickets, events, now: () => wall, onRenewed });
  t.after(() => watch.close());
  const age = (milliseconds: number): void => {
    now += milliseconds;
  };
  const pass = (time: number): void => {
    wall = time;
  };
  return { top, put, watch, events, renewed, loaded, tickets, age, pass };
}

const TAKEN_UP = "info: certificates reloaded: TOP/cert.pem";
const REFUSED = "error: cannot reload certificates, keeping the old ones: TOP/cert.pem: ";

test("TlsWatch: files that stay as they are are not read", (t) => {
  const { watch, events, renewed } = openWatch(t);
  for (let count = 0; count < 5; count += 1) watch.look();
  assert.equal(renewed.length, 0);
  assert.deepEqual(events.take(), []);
});

test("TlsWatch: a changed certificate is taken up once, at the second look that finds it so", (t) => {
  const { top, put, watch, events, renewed } = openWatch(t);
  put("wildcard.pem");
  watch.look();
  assert.equal(renewed.length, 0);
  for (let count = 0; count < 3; count += 1) watch.look();
  assert.deepEqual(
    renewed.map(({ fallback }) => fallback.names),
    [["*.wild.test"]],
  );
  assert.deepEqual(events.take(), [TAKEN_UP.replace("TOP", top)]);
});

test("TlsWatch: files that do not rest are left alone", (t) => {
  const { put, watch, renewed } = openWatch(t);
  for (const name of ["rsa.pem", "wildcard.pem", "rsa.pem", "wildcard.pem"]) {
    put(name);
    watch.look();
  }
  assert.equal(renewed.length, 0);
  watch.look();
  assert.equal(renewed.length, 1);
});

test("TlsWatch: the tickets stay the same when a certificate changes", (t) => {
  const { put, watch, renewed, loaded } = openWatch(t);
  put("rsa.pem");
  watch.look();
  watch.look();
  assert.equal(renewed[0]?.ticketKeys, httpsOf(loaded.materials).ticketKeys);
});

test("TlsWatch: a bad certificate is refused once, and a good one taken up after it", (t) => {
  const { top, put, watch, events, renewed } = openWatch(t);
  put("wrong-key.pem");
  for (let count = 0; count < 4; count += 1) watch.look();
  assert.equal(renewed.length, 0);
  assert.deepEqual(events.take(), [`${REFUSED.replace("TOP", top)}the key does not belong to the certificate`]);
  put("rsa.pem");
  for (let count = 0; count < 3; count += 1) watch.look();
  assert.equal(renewed.length, 1);
  assert.deepEqual(events.take(), [TAKEN_UP.replace("TOP", top)]);
});

test("TlsWatch: one that is half written is not used, which the log says once", (t) => {
  const { top, put, watch, events, renewed } = openWatch(t);
  const whole = readKey("rsa.pem");
  // The certificate and its key first: without the cut chain they would be usable.
  const [leaf = "", issuer = "", key = ""] = whole.split(/(?<=-----END .+-----\n)/);
  writeFileSync(join(top, "cert.pem"), leaf + key + issuer.slice(0, 300));
  for (let count = 0; count < 4; count += 1) watch.look();
  assert.equal(renewed.length, 0);
  const line = (leaf + key).split("\n").length;
  const why = `cert.pem:${line}: the block CERTIFICATE has no END line: the file is incomplete`;
  assert.deepEqual(events.take(), [REFUSED.replace("TOP/cert.pem: ", `${top}/${why}`)]);
  put("rsa.pem");
  for (let count = 0; count < 3; count += 1) watch.look();
  assert.equal(renewed.length, 1);
  assert.deepEqual(events.take(), [TAKEN_UP.replace("TOP", top)]);
});

test("TlsWatch: one that is gone is told of once, and taken up when it is back", (t) => {
  const { top, put, watch, events, renewed } = openWatch(t);
  rmSync(join(top, "cert.pem"));
  for (let count = 0; count < 3; count += 1) watch.look();
  const [told, ...more] = events.take();
  assert.match(told ?? "", /^error: .* keeping the old ones: cannot read .*cert\.pem: no such file or directory$/);
  assert.deepEqual(more, []);
  put("p256.pem");
  watch.look();
  watch.look();
  assert.equal(renewed.length, 1);
});

test("TlsWatch: one that has expired is taken up with a warning", (t) => {
  const { top, put, watch, events, renewed } = openWatch(t);
  put("expired.pem");
  watch.look();
  watch.look();
  assert.equal(renewed.length, 1);
  const warning = "the certificate expired on Jan  1 00:00:00 2021 GMT: clients reject it";
  assert.deepEqual(events.take(), [TAKEN_UP.replace("TOP", top), `warn: ${top}/cert.pem: ${warning}`]);
});

test("TlsWatch: a staple beside a certificate counts too; it is dropped when it has expired, which the log says once", (t) => {
  const { top, put, watch, renewed, events, pass } = openWatch(t);
  pass(Date.parse("2030-01-01T00:00:00Z"));
  put("staples/p256.pem");
  copyFileSync(keyPath("staples/p256.pem.ocsp"), join(top, "cert.pem.ocsp"));
  for (let count = 0; count < 3; count += 1) watch.look();
  assert.deepEqual(events.take(), [TAKEN_UP.replace("TOP", top)]);
  const { bytes, until } = renewed[0]?.fallback.staple ?? {};
  assert.deepEqual(bytes, readFileSync(keyPath("staples/p256.pem.ocsp")));

  assert.ok(until !== undefined);
  pass(until - 1);
  watch.look();
  assert.equal(renewed.length, 1);
  pass(until);
  for (let count = 0; count < 3; count += 1) watch.look();
  assert.equal(renewed.length, 2);
  assert.equal(renewed[1]?.fallback.staple, undefined);
  assert.deepEqual(renewed[1]?.identities, [renewed[1]?.fallback]);
  const why = `expired on ${new Date(until).toUTCString()}: no OCSP response is stapled`;
  assert.deepEqual(events.take(), [`warn: ${top}/cert.pem.ocsp: ${why}`]);
});

test("TlsWatch: a staple that is no good is told of once, and taken up when it is", (t) => {
  const { top, put, watch, events, renewed, pass } = openWatch(t);
  pass(Date.parse("2030-01-01T00:00:00Z"));
  put("staples/p256.pem");
  copyFileSync(keyPath("staples/rsa.pem.ocsp"), join(top, "cert.pem.ocsp"));
  for (let count = 0; count < 3; count += 1) watch.look();
  const warning = `warn: ${top}/cert.pem.ocsp: is for another certificate: no OCSP response is stapled`;
  assert.deepEqual(events.take(), [TAKEN_UP.replace("TOP", top), warning]);
  copyFileSync(keyPath("staples/p256.pem.ocsp"), join(top, "cert.pem.ocsp"));
  for (let count = 0; count < 3; count += 1) watch.look();
  assert.deepEqual(events.take(), [TAKEN_UP.replace("TOP", top)]);
  assert.deepEqual(
    renewed.map(({ fallback }) => fallback.staple !== undefined),
    [false, true],
  );
});

test("TlsWatch: tickets get new keys after half a day, without a word in the log", (t) => {
  const { watch, events, renewed, loaded, tickets, age } = openWatch(t);
  age(HALF_A_DAY_MS - 1);
  watch.look();
  assert.equal(renewed.length, 0);
  age(1);
  watch.look();
  watch.look();
  const [first] = httpsOf(loaded.materials).ticketKeys;
  const [second] = tickets.current;
  assert.notDeepEqual(first, second);
  // All processes can decrypt with the new key before one of them encrypts with it.
  const rings = () => renewed.map(({ ticketKeys }) => ticketKeys);
  assert.deepEqual(rings(), [
    [first, second],
    [second, first],
  ]);
  for (let count = 0; count < 3; count += 1) watch.look();
  assert.equal(renewed.length, 2);
  age(HALF_A_DAY_MS / 2);
  watch.look();
  assert.deepEqual(rings().at(-1), [second]);
  assert.deepEqual(events.take(), []);
});

test("TlsWatch: ticket keys of a file change when the file does", (t) => {
  const { top, watch, renewed, age } = openWatch(t, "tls-ticket-keys = ticket.key");
  age(10 * HALF_A_DAY_MS);
  watch.look();
  assert.equal(renewed.length, 0);
  writeFileSync(join(top, "ticket.key"), Buffer.alloc(48, 9));
  watch.look();
  watch.look();
  assert.equal(renewed.length, 1);
  assert.deepEqual(renewed[0]?.ticketKeys, [Buffer.alloc(48, 9)]);
});

test("TlsWatch: a new key of a file that keeps the old one is known before it is used", (t) => {
  const { top, watch, renewed } = openWatch(t, "tls-ticket-keys = ticket.key, old.key");
  const [one, two] = [Buffer.from(readKey("ticket.key"), "latin1"), Buffer.alloc(48, 9)];
  writeFileSync(join(top, "old.key"), one);
  writeFileSync(join(top, "ticket.key"), two);
  for (let count = 0; count < 5; count += 1) watch.look();
  assert.deepEqual(
    renewed.map(({ ticketKeys }) => ticketKeys),
    [
      [one, two],
      [two, one],
    ],
  );
});

test("TlsWatch: a ticket key that is new since the certificates were read is sent too", (t) => {
  const { watch, renewed, loaded, tickets } = openWatch(t, "", HALF_A_DAY_MS);
  assert.notEqual(loaded.tickets, tickets.current);
  for (let count = 0; count < 3; count += 1) watch.look();
  assert.deepEqual(renewed.at(-1)?.ticketKeys, tickets.current);
});
