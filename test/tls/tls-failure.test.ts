import assert from "node:assert/strict";
import { test } from "node:test";
import { describeHandshakeFailure } from "../../src/tls/tls-failure.ts";

const cases: [name: string, code: string | undefined, want: string][] = [
  ["the client has disconnected", "ECONNRESET", "the client has disconnected"],
  ["an alert as OpenSSL 3.0 has it", "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "the client rejects the certificate"],
  ["an alert of older days", "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "the client rejects the certificate"],
  ["an alert as OpenSSL 3.5 has it", "ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE", "the client rejects the certificate"],
  ["another alert", "ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE", "alert handshake failure"],
  ["what has no words of ours", "ERR_SSL_BAD_RECORD_TYPE", "bad record type"],
  ["what is none of OpenSSL's", "ENOBUFS", "ENOBUFS"],
  ["what has no code", undefined, "handshake failure"],
];
for (const [name, code, want] of cases) {
  test(`describeHandshakeFailure: ${name}`, () => {
    assert.equal(describeHandshakeFailure(Object.assign(new Error("0A:error"), code && { code })), want);
  });
}
