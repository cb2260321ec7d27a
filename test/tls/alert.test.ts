import assert from "node:assert/strict";
import { createDecipheriv } from "node:crypto";
import { test } from "node:test";
import { type HandshakeKeys, plainAlert, readServerSecret, refusingAlert, sealedAlert } from "../../src/tls/alert.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

// RFC 8448 §3: the server's first application traffic secret, and the key and IV that follow from it.
const SECRET = hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
const KEY = hex("9f02283b6c9c07efc26bb9f2ac92e356");
const IV = hex("cf782b88dd83549aadf1e984");

test("plainAlert: fatal, in a record of its own", () => {
  assert.deepEqual(Buffer.from(plainAlert("unknown_ca")), hex("15 03 03 00 02 02 30"));
});

test("sealedAlert: with the key and IV of RFC 8448 it is the first record", () => {
  const record = Buffer.from(sealedAlert("certificate_expired", "TLS_AES_128_GCM_SHA256", SECRET) ?? []);
  const head = record.subarray(0, 5);
  assert.deepEqual(head, hex("17 03 03 00 13"));
  const decipher = createDecipheriv("aes-128-gcm", KEY, IV).setAAD(head).setAuthTag(record.subarray(-16));
  const content = Buffer.concat([decipher.update(record.subarray(5, -16)), decipher.final()]);
  assert.deepEqual(content, hex("02 2d 15"));
});

const lines: [name: string, line: string, want: Buffer | undefined][] = [
  ["the server's secret", `SERVER_TRAFFIC_SECRET_0 ${"ab".repeat(32)} 0102ff\n`, hex("0102ff")],
  ["the client's", `CLIENT_TRAFFIC_SECRET_0 ${"ab".repeat(32)} 0102ff\n`, undefined],
  ["the handshake's", `SERVER_HANDSHAKE_TRAFFIC_SECRET ${"ab".repeat(32)} 0102ff\n`, undefined],
  ["that of TLS 1.2", `CLIENT_RANDOM ${"ab".repeat(32)} 0102ff\n`, undefined],
  ["nothing", "", undefined],
];
for (const [name, line, want] of lines) {
  test(`readServerSecret: ${name}`, () => assert.deepEqual(readServerSecret(Buffer.from(line)), want));
}

const KEYS: HandshakeKeys = { version: "TLSv1.2", suite: "ECDHE", isResumed: false, serverSecret: undefined };
const NEWER: HandshakeKeys = { ...KEYS, version: "TLSv1.3", suite: "TLS_AES_256_GCM_SHA384", serverSecret: SECRET };
const situations: [name: string, keys: HandshakeKeys, want: "plain" | "sealed" | undefined][] = [
  ["TLS 1.2", KEYS, "plain"],
  ["TLS 1.2, resumed: the server encrypts already", { ...KEYS, isResumed: true }, undefined],
  ["TLS 1.3", NEWER, "sealed"],
  ["TLS 1.3, resumed", { ...NEWER, isResumed: true }, "sealed"],
  ["TLS 1.3 without its secret", { ...NEWER, serverSecret: undefined }, undefined],
  ["TLS 1.3 with another suite", { ...NEWER, suite: "TLS_AES_128_CCM_8_SHA256" }, undefined],
  ["no version", { ...KEYS, version: null }, undefined],
];
for (const [name, keys, want] of situations) {
  test(`refusingAlert: ${name}`, () => {
    const bytes = refusingAlert("unknown_ca", keys);
    const kinds: Readonly<Record<number, string>> = { 7: "plain", 24: "sealed" };
    assert.equal(bytes === undefined ? undefined : kinds[bytes.length], want);
  });
}
