import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { namesOf, readAuthorities, readIdentity } from "../../src/tls/certificate.ts";
import { type PemFile, readPem } from "../../src/tls/pem.ts";
import { keyPath, readKey } from "../support/tls-client.ts";

const file = (name: string, text = readKey(name)): PemFile => ({ name, text });
const NOW = Date.parse("2026-01-01T00:00:00Z");
const DAY_MS = 24 * 3600 * 1000;

function blocksOf(text: string): string[] {
  const reading = readPem({ name: "file", text });
  assert.ok(reading.kind === "blocks");
  return reading.blocks.map((block) => block.text);
}

const [leaf = "", issuer = "", key = ""] = blocksOf(readKey("p256.pem"));
const [, , rsaKey = "", dhParameters = ""] = blocksOf(readKey("rsa.pem"));
const damaged = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
const withPassphrase = createPrivateKey(key)
  .export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "x" })
  .toString();
const withPassphraseOfOld =
  "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nQUJD\n-----END EC PRIVATE KEY-----\n";

const NO_KEY = "no private key found (-----BEGIN PRIVATE KEY-----); name a separate key file with tls-key";

const identities: [name: string, certificate: PemFile, keyFile: PemFile | undefined, names: string[], type: string][] =
  [
    ["RSA", file("rsa.pem"), undefined, ["localhost", "a.test"], "rsa"],
    ["P-256", file("p256.pem"), undefined, ["localhost", "a.test"], "ec"],
    ["a wildcard", file("wildcard.pem"), undefined, ["*.wild.test"], "ec"],
    ["no alternative names: the common name", file("client.pem"), undefined, ["client one"], "ec"],
    ["the key in a file of its own", file("x", leaf + issuer), file("y", key), ["localhost", "a.test"], "ec"],
    [
      "one in both: that of its own file counts",
      file("x", leaf + rsaKey),
      file("y", key),
      ["localhost", "a.test"],
      "ec",
    ],
    ["the key first", file("x", key + leaf + issuer), undefined, ["localhost", "a.test"], "ec"],
  ];
for (const [name, certificate, keyFile, names, type] of identities) {
  test(`readIdentity: ${name}`, () => {
    const result = readIdentity({ certificate, key: keyFile, ocsp: undefined }, NOW);
    assert.ok(result.kind === "identity", result.kind === "fault" ? result.fault : "");
    assert.deepEqual(result.warnings, []);
    const { identity } = result;
    assert.equal(identity.file, certificate.name);
    assert.deepEqual(identity.names, names);
    assert.equal(identity.keyType, type);
    assert.deepEqual(
      blocksOf(identity.certificates),
      blocksOf(certificate.text).filter((block) => block.startsWith("-----BEGIN CERTIFICATE-----")),
    );
    assert.ok(new X509Certificate(identity.certificates).checkPrivateKey(createPrivateKey(identity.key)));
  });
}

test("readIdentity: DH parameters and a staple go along", () => {
  const bytes = readFileSync(keyPath("rsa.pem.ocsp"));
  const ocsp = { name: "rsa.pem.ocsp", bytes };
  const result = readIdentity({ certificate: file("rsa.pem"), key: undefined, ocsp }, Date.parse("2030-01-01"));
  assert.ok(result.kind === "identity");
  assert.equal(result.identity.dhParameters, dhParameters);
  assert.equal(result.identity.staple?.bytes, bytes);
  assert.deepEqual(result.warnings, []);
});

test("readIdentity: without DH parameters and staple there are none", () => {
  const result = readIdentity({ certificate: file("p256.pem"), key: undefined, ocsp: undefined }, NOW);
  assert.ok(result.kind === "identity");
  assert.equal(result.identity.dhParameters, undefined);
  assert.equal(result.identity.staple, undefined);
});

test("readIdentity: a staple that cannot be used is left out, with a warning", () => {
  const ocsp = { name: "a.ocsp", bytes: Buffer.from("staple") };
  const result = readIdentity({ certificate: file("p256.pem"), key: undefined, ocsp }, NOW);
  assert.ok(result.kind === "identity");
  assert.equal(result.identity.staple, undefined);
  assert.deepEqual(result.warnings, ["a.ocsp: is not an OCSP response in DER: no OCSP response is stapled"]);
});

const faults: [name: string, certificate: string, keyFile: string | undefined, want: string][] = [
  ["an empty file", "", undefined, "cert: no certificate found (-----BEGIN CERTIFICATE-----)"],
  ["a key alone", key, undefined, "cert: no certificate found (-----BEGIN CERTIFICATE-----)"],
  ["no key", leaf, undefined, `cert: ${NO_KEY}`],
  ["no key in the key's file", leaf + key, issuer, `key: ${NO_KEY}`],
  ["two keys", leaf + key + rsaKey, undefined, "cert: several private keys found: expected one"],
  ["two keys in the key's file", leaf, key + key, "key: several private keys found: expected one"],
  [
    "a damaged certificate of the chain",
    leaf + damaged + key,
    undefined,
    `cert:${leaf.split("\n").length}: the certificate cannot be read`,
  ],
  ["a damaged certificate", damaged + key, undefined, "cert:1: the certificate cannot be read"],
  [
    "a damaged key",
    `${leaf}-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n`,
    undefined,
    `cert:${leaf.split("\n").length}: the key cannot be read`,
  ],
  [
    "a key with a passphrase",
    leaf + withPassphrase,
    undefined,
    `cert:${leaf.split("\n").length}: the key is encrypted: expected one without a passphrase`,
  ],
  [
    "a key with a passphrase, written as of old",
    leaf,
    withPassphraseOfOld,
    "key:1: the key is encrypted: expected one without a passphrase",
  ],
  [
    "a chain that is cut off",
    key + leaf + issuer.slice(0, 100),
    undefined,
    `cert:${(key + leaf).split("\n").length}: the block CERTIFICATE has no END line: the file is incomplete`,
  ],
  [
    "a key's file that is cut off",
    leaf,
    key.slice(0, 100),
    "key:1: the block PRIVATE KEY has no END line: the file is incomplete",
  ],
  [
    "the key of another certificate",
    readKey("wrong-key.pem"),
    undefined,
    "cert: the key does not belong to the certificate",
  ],
  ["a key of another algorithm", leaf, rsaKey, "key: the key does not belong to the certificate"],
  ["the chain in the wrong order", issuer + leaf + key, undefined, "cert: the key does not belong to the certificate"],
];
for (const [name, certificate, keyText, fault] of faults) {
  test(`readIdentity refuses ${name}`, () => {
    const keyFile = keyText === undefined ? undefined : file("key", keyText);
    const files = { certificate: file("cert", certificate), key: keyFile, ocsp: undefined };
    assert.deepEqual(readIdentity(files, NOW), { kind: "fault", fault });
  });
}

const names: [name: string, subject: string, alternatives: string | undefined, want: ReturnType<typeof namesOf>][] = [
  ["none", "O=x", undefined, { names: [], allNames: [] }],
  ["the common name", "O=x\nCN=A.test", undefined, { names: ["a.test"], allNames: ["CN=A.test"] }],
  [
    "alternative names count instead",
    "CN=a.test",
    "DNS:B.test, IP Address:192.0.2.1",
    { names: ["b.test"], allNames: ["DNS:B.test", "IP Address:192.0.2.1"] },
  ],
  ["an address alone", "CN=a.test", "IP Address:::1", { names: [], allNames: ["IP Address:::1"] }],
  [
    "a comma in a name",
    "CN=a.test",
    'URI:"http://a/, DNS:b.test, \\"", DNS:c.test',
    { names: ["c.test"], allNames: ['URI:"http://a/, DNS:b.test, \\""', "DNS:c.test"] },
  ],
];
for (const [name, subject, subjectAltName, want] of names) {
  test(`namesOf: ${name}`, () => assert.deepEqual(namesOf({ subject, subjectAltName }), want));
}

/** As `openssl x509 -trustout` writes it: the certificate, and then what it is trusted for (here: servers). */
function trusted(text: string): string {
  const SERVER_AUTH = Buffer.from("300c300a06082b06010505070301", "hex");
  const base64 = Buffer.concat([new X509Certificate(text).raw, SERVER_AUTH]).toString("base64");
  return `-----BEGIN TRUSTED CERTIFICATE-----\n${base64}\n-----END TRUSTED CERTIFICATE-----\n`;
}

test("readIdentity: TRUSTED CERTIFICATE is sent as an ordinary certificate, wherever it stands", () => {
  const certificate = file("cert", trusted(leaf) + trusted(issuer) + key);
  const result = readIdentity({ certificate, key: undefined, ocsp: undefined }, NOW);
  assert.ok(result.kind === "identity");
  assert.equal(result.identity.certificates, leaf + issuer);
});

test("readAuthorities: all certificates, and what a TRUSTED CERTIFICATE is trusted for", () => {
  const text = `words\n${issuer}${key}${trusted(leaf)}`;
  const pem = issuer + trusted(leaf);
  assert.deepEqual(readAuthorities(file("ca", text), "tls-client-ca"), { kind: "authorities", pem });
});

const badAuthorities: [name: string, text: string, want: string][] = [
  ["no certificate", key, "ca: no certificate found: expected those of tls-client-ca"],
  [
    "a damaged one behind a good one",
    issuer + damaged,
    `ca:${issuer.split("\n").length}: the certificate cannot be read`,
  ],
  [
    "one that is cut off",
    issuer + leaf.slice(0, 200),
    `ca:${issuer.split("\n").length}: the block CERTIFICATE has no END line: the file is incomplete`,
  ],
];
for (const [name, text, fault] of badAuthorities) {
  test(`readAuthorities refuses ${name}`, () =>
    assert.deepEqual(readAuthorities(file("ca", text), "tls-client-ca"), { kind: "fault", fault }));
}

const BEGIN = Date.parse("2020-01-01T00:00:00Z");
const END = Date.parse("2120-01-01T00:00:00Z");
const ENDS = "Jan  1 00:00:00 2120 GMT";
const moments: [name: string, certificate: string, now: number, want: string | undefined][] = [
  ["today", "p256.pem", NOW, undefined],
  ["its first moment", "p256.pem", BEGIN, undefined],
  [
    "a moment before",
    "p256.pem",
    BEGIN - 1,
    "p256.pem: the certificate is not valid before Jan  1 00:00:00 2020 GMT: clients reject it",
  ],
  ["a week before its end", "p256.pem", END - 7 * DAY_MS, undefined],
  ["less than a week", "p256.pem", END - 7 * DAY_MS + 1, `p256.pem: the certificate expires on ${ENDS}, in 6 days`],
  ["its last moment", "p256.pem", END, `p256.pem: the certificate expires on ${ENDS}, in 0 days`],
  ["a moment after", "p256.pem", END + 1, `p256.pem: the certificate expired on ${ENDS}: clients reject it`],
  [
    "one that has expired",
    "expired.pem",
    NOW,
    "expired.pem: the certificate expired on Jan  1 00:00:00 2021 GMT: clients reject it",
  ],
  [
    "one of the future",
    "future.pem",
    NOW,
    "future.pem: the certificate is not valid before Jan  1 00:00:00 2119 GMT: clients reject it",
  ],
];
for (const [name, certificate, now, warning] of moments) {
  test(`readIdentity, validity: ${name}`, () => {
    const result = readIdentity({ certificate: file(certificate), key: undefined, ocsp: undefined }, now);
    assert.ok(result.kind === "identity");
    assert.deepEqual(result.warnings, warning === undefined ? [] : [warning]);
  });
}
