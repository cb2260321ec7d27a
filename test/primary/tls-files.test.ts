import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import { StartupError } from "../../src/base/errors.ts";
import { describeTlsFiles, type LoadedTls, loadTls, withTickets } from "../../src/primary/tls-files.ts";
import type { TlsMaterial } from "../../src/tls/tls-identity.ts";
import { tlsSpecs } from "../../src/tls/tls-specs.ts";
import { makeTree } from "../support/file-tree.ts";
import { settingsFrom } from "../support/settings-from.ts";
import { keyPath, readKey } from "../support/tls-client.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const TICKETS = [Buffer.alloc(48, 7)];

/** A folder with these files of the test keys, and another name for each after a colon. */
function makeKeys(t: TestContext, files: readonly string[] = []): AbsolutePath {
  const top = makeTree(t, { "certificates/": "" });
  for (const file of files) {
    const [from = "", to = from] = file.split(":");
    copyFileSync(keyPath(from), join(top, to));
  }
  return top;
}

const wishesOf = (top: AbsolutePath, lines: string) =>
  tlsSpecs(settingsFrom(top, `[main]\n${lines === "" ? "" : "tls-port = 0\n"}${lines}`));

const load = (top: AbsolutePath, lines: string, now = NOW) => loadTls(wishesOf(top, lines), TICKETS, now);

function httpsOf({ materials }: LoadedTls): TlsMaterial {
  const https = materials.get("https");
  assert.ok(https?.side === "server");
  return https.material;
}

test("loadTls: TLS is not asked for", (t) => assert.equal(load(makeKeys(t), "").materials.size, 0));

const TERMINATOR = "[TLS terminator x]\nfrontend = *,0\n";

test("loadTls: the last file of a terminator is for every name", (t) => {
  const top = makeKeys(t, ["p256.pem", "rsa.pem", "wildcard.pem:certificates/a.pem"]);
  const settings = settingsFrom(top, `${TERMINATOR}pem = p256.pem, rsa.pem\ntls-dir = certificates`);
  const { materials } = loadTls(tlsSpecs(settings), TICKETS, NOW);
  const each = materials.get("[TLS terminator x]");
  assert.ok(each?.side === "server");
  const files = each.material.identities.map(({ file }) => file);
  assert.deepEqual(
    files,
    ["certificates/a.pem", "p256.pem", "rsa.pem"].map((file) => join(top, file)),
  );
  assert.equal(each.material.fallback.file, join(top, "rsa.pem"));
});

test("loadTls: a terminator that is a client of TLS may do without a certificate", (t) => {
  const top = makeKeys(t, ["ca.pem"]);
  const settings = settingsFrom(top, `${TERMINATOR}client = yes\nbackend-ca = ca.pem`);
  const { materials, files } = loadTls(tlsSpecs(settings), TICKETS, NOW);
  assert.deepEqual(files, [join(top, "ca.pem")]);
  const material = { identity: undefined, authorities: readKey("ca.pem") };
  assert.deepEqual(materials.get("[TLS terminator x]"), { side: "client", material });
});

test("loadTls: names that OpenSSL does not know among others are refused, on either side", (t) => {
  const top = makeKeys(t, ["p256.pem"]);
  for (const side of ["client = yes", "pem = p256.pem"]) {
    const settings = settingsFrom(top, `${TERMINATOR}${side}\ntls-suites = TLS_AES_128_GCM_SHA256:TLS_NO_SUCH`);
    assert.throws(
      () => loadTls(tlsSpecs(settings), TICKETS, NOW),
      /^StartupError: \[TLS terminator x\]: tls-suites: OpenSSL knows no TLS_NO_SUCH$/,
    );
  }
});

test("loadTls: what OpenSSL refuses of a terminator names it", (t) => {
  const settings = settingsFrom(makeKeys(t, ["p256.pem"]), `${TERMINATOR}pem = p256.pem\ntls-curves = P-1`);
  assert.throws(
    () => loadTls(tlsSpecs(settings), TICKETS, NOW),
    /^StartupError: \[TLS terminator x\]: tls-curves: OpenSSL knows no group P-1$/,
  );
});

test("withTickets: those of a file stay", (t) => {
  const top = makeKeys(t, ["p256.pem", "ticket.key"]);
  const own = `${TERMINATOR}pem = p256.pem\ntls-ticket-keys = ticket.key`;
  const wishes = tlsSpecs(settingsFrom(top, `[main]\ntls-port = 0\ntls-cert = p256.pem\n${own}`));
  const loaded = loadTls(wishes, TICKETS, NOW);
  const ring = [Buffer.alloc(48, 8), Buffer.alloc(48, 7)];
  const renewed = withTickets(loaded.materials, wishes, ring);
  assert.equal(httpsOf({ ...loaded, materials: renewed }).ticketKeys, ring);
  assert.equal(renewed.get("[TLS terminator x]"), loaded.materials.get("[TLS terminator x]"));
});

const sound: [name: string, files: string[], lines: string, want: string[]][] = [
  ["one certificate", ["p256.pem"], "tls-cert = p256.pem", ["p256.pem"]],
  [
    "several, in the order of the settings",
    ["p256.pem", "rsa.pem"],
    "tls-cert = rsa.pem, p256.pem",
    ["rsa.pem", "p256.pem"],
  ],
  ["a key of its own", ["p256.pem:a.crt", "p256.pem:a.key"], "tls-cert = a.crt\ntls-key = a.key", ["a.crt"]],
  [
    "a folder, by name; other files in it are left alone",
    [
      "rsa.pem:certificates/b.pem",
      "p256.pem:certificates/a.pem",
      "ticket.key:certificates/ticket.key",
      "wrong-key.pem:certificates/.hidden.pem",
      "wrong-key.pem:certificates/c.pem~",
    ],
    "tls-dir = certificates",
    ["certificates/a.pem", "certificates/b.pem"],
  ],
  [
    "a file and then a folder",
    ["rsa.pem", "wildcard.pem:certificates/a.pem"],
    "tls-cert = rsa.pem\ntls-dir = certificates",
    ["rsa.pem", "certificates/a.pem"],
  ],
];
for (const [name, files, lines, want] of sound) {
  test(`loadTls: ${name}`, (t) => {
    const top = makeKeys(t, files);
    const loaded = load(top, lines);
    assert.deepEqual(
      httpsOf(loaded).identities.map(({ file }) => file),
      want.map((file) => join(top, file)),
    );
    assert.deepEqual(loaded.warnings, []);
    assert.equal(httpsOf(loaded).ticketKeys, TICKETS);
    assert.equal(httpsOf(loaded).clientAuthorities, undefined);
  });
}

test("loadTls: the staple beside a certificate is its own", (t) => {
  const top = makeKeys(t, ["rsa.pem", "rsa.pem.ocsp", "p256.pem"]);
  const loaded = load(top, "tls-cert = p256.pem, rsa.pem", Date.parse("2030-01-01"));
  const staples = httpsOf(loaded).identities.map(({ staple }) => staple?.bytes.length);
  assert.deepEqual(staples, [undefined, readKey("rsa.pem.ocsp").length]);
});

test("loadTls: a staple that cannot be read is left out, with a warning", (t) => {
  const top = makeKeys(t, ["p256.pem"]);
  mkdirSync(join(top, "p256.pem.ocsp"));
  const loaded = load(top, "tls-cert = p256.pem");
  assert.equal(httpsOf(loaded).fallback.staple, undefined);
  assert.deepEqual(loaded.warnings, [`${top}/p256.pem.ocsp: is no file: no OCSP response is stapled`]);
});

test("loadTls: ticket keys of a file, and authorities without what else is in theirs", (t) => {
  const top = makeKeys(t, ["p256.pem", "ticket.key", "client-ca.pem"]);
  writeFileSync(join(top, "old.key"), Buffer.alloc(48, 9));
  appendFileSync(join(top, "client-ca.pem"), `words\n${readKey("ca.pem")}`);
  const lines = "tls-cert = p256.pem\ntls-ticket-keys = ticket.key, old.key\ntls-client-ca = client-ca.pem";
  const material = httpsOf(load(top, lines));
  assert.deepEqual(material.ticketKeys, [Buffer.from(readKey("ticket.key"), "latin1"), Buffer.alloc(48, 9)]);
  assert.equal(material.clientAuthorities, readKey("client-ca.pem") + readKey("ca.pem"));
});

test("loadTls: a certificate that has expired is taken, with a warning", (t) => {
  const top = makeKeys(t, ["expired.pem", "p256.pem"]);
  const loaded = load(top, "tls-cert = p256.pem, expired.pem");
  const want = "the certificate expired on Jan  1 00:00:00 2021 GMT: clients reject it";
  assert.deepEqual(loaded.warnings, [`${join(top, "expired.pem")}: ${want}`]);
});

const faults: [name: string, files: string[], lines: string, want: string][] = [
  ["no such file", [], "tls-cert = a.pem", "cannot read TOP/a.pem: no such file or directory"],
  ["a folder in place of a file", [], "tls-cert = certificates", "TOP/certificates: is no file"],
  ["no such folder", [], "tls-dir = x", "cannot read tls-dir TOP/x: no such file or directory"],
  ["an empty folder", [], "tls-dir = certificates", "tls-dir TOP/certificates: no *.pem file found"],
  [
    "one of several is bad",
    ["p256.pem", "wrong-key.pem"],
    "tls-cert = p256.pem, wrong-key.pem",
    "TOP/wrong-key.pem: the key does not belong to the certificate",
  ],
  [
    "one of a folder is bad",
    ["p256.pem:certificates/a.pem", "ca.pem:certificates/b.pem"],
    "tls-dir = certificates",
    "TOP/certificates/b.pem: no private key found (-----BEGIN PRIVATE KEY-----); name a separate key file with tls-key",
  ],
  [
    "no key where it should be",
    ["p256.pem"],
    "tls-cert = p256.pem\ntls-key = x",
    "cannot read TOP/x: no such file or directory",
  ],
  [
    "ticket keys of another length",
    ["p256.pem", "rsa.pem.ocsp:t"],
    "tls-cert = p256.pem\ntls-ticket-keys = t",
    "TOP/t: has 1316 bytes: expected 48, made with openssl rand -out FILE 48",
  ],
  [
    "no authority in their file",
    ["p256.pem", "ticket.key"],
    "tls-cert = p256.pem\ntls-client-ca = ticket.key",
    "TOP/ticket.key: no certificate found: expected those of tls-client-ca",
  ],
];
for (const [name, files, lines, want] of faults) {
  test(`loadTls refuses: ${name}`, (t) => {
    const top = makeKeys(t, files);
    assert.throws(() => load(top, lines), new StartupError(want.replaceAll("TOP", top)));
  });
}

test("loadTls refuses a file that is far too large, without reading it", (t) => {
  const top = makeKeys(t);
  writeFileSync(join(top, "a.pem"), Buffer.alloc(1024 * 1024 + 1));
  const want = `${top}/a.pem: is too large for a file of keys and certificates`;
  assert.throws(() => load(top, "tls-cert = a.pem"), new StartupError(want));
});

const rules: [line: string, want: string][] = [
  ["tls-ciphers = NO-SUCH-CIPHER", "tls-ciphers: OpenSSL knows no NO-SUCH-CIPHER"],
  ["tls-curves = P-256:no-such-group", "tls-curves: OpenSSL knows no group no-such-group"],
  [
    "tls-ciphers = ECDHE-RSA-AES128-GCM-SHA256",
    "tls-ciphers leaves TLS 1.2 without a cipher for TOP/p256.pem, whose key is of type ec: expected an ECDHE-ECDSA cipher, or tls-min-version = 1.3",
  ],
];
for (const [line, want] of rules) {
  test(`loadTls refuses lists of ciphers and groups: ${line}`, (t) => {
    const top = makeKeys(t, ["p256.pem"]);
    const load1 = () => load(top, `tls-cert = p256.pem\n${line}`);
    assert.throws(load1, new StartupError(want.replaceAll("TOP", top)));
  });
}

test("loadTls: ciphers for one of two keys with the same names do", (t) => {
  const top = makeKeys(t, ["p256.pem", "rsa.pem"]);
  load(top, "tls-cert = p256.pem, rsa.pem\ntls-ciphers = ECDHE-RSA-AES128-GCM-SHA256");
});

test("loadTls refuses the names of ciphers of a terminator by its own option", (t) => {
  const top = makeKeys(t, ["p256.pem"]);
  const settings = settingsFrom(top, `${TERMINATOR}pem = p256.pem\nciphers = TLS_AES_128_GCM_SHA256`);
  const want = "[TLS terminator x]: ciphers: TLS_AES_128_GCM_SHA256 is a suite of TLS 1.3: expected it in tls-suites";
  assert.throws(() => loadTls(tlsSpecs(settings), TICKETS, NOW), new StartupError(want));
});

const changes: [name: string, change: (top: string) => void][] = [
  ["a certificate with other content", (top) => copyFileSync(keyPath("rsa.pem"), join(top, "p256.pem"))],
  ["a certificate with another time", (top) => utimesSync(join(top, "p256.pem"), 1, 1)],
  ["a certificate that goes", (top) => rmSync(join(top, "p256.pem"))],
  ["a staple that comes", (top) => writeFileSync(join(top, "p256.pem.ocsp"), "")],
  ["another file in the folder", (top) => copyFileSync(keyPath("rsa.pem"), join(top, "certificates/b.pem"))],
  ["a file of the folder that goes", (top) => rmSync(join(top, "certificates/a.pem"))],
  ["a folder that goes", (top) => rmSync(join(top, "certificates"), { recursive: true })],
  ["ticket keys", (top) => writeFileSync(join(top, "ticket.key"), "")],
  ["authorities", (top) => appendFileSync(join(top, "client-ca.pem"), "x")],
  [
    "a link that leads elsewhere, as certbot changes them",
    (top) => {
      rmSync(join(top, "p256.pem"));
      symlinkSync(keyPath("p256.pem"), join(top, "p256.pem"));
    },
  ],
];
const ALL_FILES = ["p256.pem", "wildcard.pem:certificates/a.pem", "ticket.key", "client-ca.pem"];
const ALL_LINES =
  "tls-cert = p256.pem\ntls-dir = certificates\ntls-ticket-keys = ticket.key\ntls-client-ca = client-ca.pem";
for (const [name, change] of changes) {
  test(`describeTlsFiles tells of ${name}`, (t) => {
    const top = makeKeys(t, ALL_FILES);
    const wishes = wishesOf(top, ALL_LINES);
    const before = describeTlsFiles(wishes);
    assert.equal(describeTlsFiles(wishes), before);
    change(top);
    assert.notEqual(describeTlsFiles(wishes), before);
  });
}

test("describeTlsFiles: what is beside the files does not matter", (t) => {
  const top = makeKeys(t, ALL_FILES);
  const wishes = wishesOf(top, ALL_LINES);
  const before = describeTlsFiles(wishes);
  mkdirSync(join(top, "certificates/sub"));
  writeFileSync(join(top, "certificates/.new.pem"), "");
  writeFileSync(join(top, "p256.pem.new"), "");
  assert.equal(describeTlsFiles(wishes), before);
});

test("loadTls: a file that two sides use is warned of once", (t) => {
  const top = makeKeys(t, ["expired.pem"]);
  const settings = settingsFrom(top, `[main]\ntls-port = 0\ntls-cert = expired.pem\n${TERMINATOR}pem = expired.pem`);
  assert.equal(loadTls(tlsSpecs(settings), TICKETS, NOW).warnings.length, 1);
});
