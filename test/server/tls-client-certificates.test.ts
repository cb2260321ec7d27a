/**
 * Clients that show certificates: who is let in, and what the access log has of them.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { failure, keyPath, startTls, type TlsServer, visit } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

const AUTHORITY = { "tls-client-ca": keyPath("client-ca.pem") };
const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
/** Of others, who have not certified the client. */
const OTHER_AUTHORITY = { "tls-client-ca": keyPath("ca.pem") };
const OURS = "client.pem";
/** A client that has ended the handshake sends its request before the alert arrives. */
const UNKNOWN_CA = /^ERR_SSL_[\w/]*ALERT_UNKNOWN_CA$/;
const UNSUPPORTED = /^ERR_SSL_[\w/]*ALERT_UNSUPPORTED_CERTIFICATE$/;

function logLine({ server }: TlsServer, pattern: RegExp): Promise<string> {
  const read = () => readFileSync(`${server.top}/access`, "utf8");
  return until("there is a line", () => pattern.exec(read())?.[0], { facts: read });
}

test("tls-client-verify = require: only a certificate of our own authority gets in", async (t) => {
  const site = await startTls(t, { configuration: AUTHORITY });
  const { tlsPort, server } = site;
  for (const version of VERSIONS) {
    await t.test(version, async () => {
      assert.match(await failure(tlsPort, { version }), /^ERR_SSL_[\w/]*ALERT\w*$/);
      assert.equal((await visit(tlsPort, { version, certificate: OURS })).status, 200);
      const { session } = await visit(tlsPort, { version, certificate: OURS });
      const again = await visit(tlsPort, { version, certificate: OURS, session });
      assert.equal(again.status, 200);
    });
  }
  await logLine(site, /(.*"GET \/small\.txt HTTP\/1\.1" 200 5\n){6}/);
  await until("the log tells why", () => /failed: the client sent no certificate$/m.test(server.events));
});

test("tls-client-verify = require: a certificate of another authority gets nobody in", async (t) => {
  const { tlsPort } = await startTls(t, { configuration: OTHER_AUTHORITY });
  for (const version of VERSIONS) assert.match(await failure(tlsPort, { version, certificate: OURS }), UNKNOWN_CA);
});

test("tls-client-verify = require: a server's certificate gets no client in", async (t) => {
  const { tlsPort } = await startTls(t, { configuration: OTHER_AUTHORITY });
  for (const version of VERSIONS) {
    assert.match(await failure(tlsPort, { version, certificate: "rsa.pem" }), UNSUPPORTED);
  }
});

test("tls-client-verify = require: the log tells of a foreign certificate", async (t) => {
  const { tlsPort, server } = await startTls(t, { configuration: OTHER_AUTHORITY });
  await failure(tlsPort, { certificate: OURS });
  await until("there is a line", () => /TLS handshake/.test(server.events));
  assert.match(server.events, /failed: the client's certificate is not valid: unknown CA$/m);
});

test("tls-client-verify = optional: everybody gets in, and who has shown a certificate is in the log", async (t) => {
  const site = await startTls(t, { configuration: { ...AUTHORITY, "tls-client-verify": "optional" } });
  for (const version of VERSIONS) {
    assert.equal((await visit(site.tlsPort, { version }, "/small.txt?none")).status, 200);
    assert.equal((await visit(site.tlsPort, { version, certificate: OURS }, "/small.txt?ours")).status, 200);
  }
  assert.match(await logLine(site, /.*\?none .*/), /^127\.0\.0\.1 - - \[/);
  assert.match(await logLine(site, /.*\?ours .*/), /^127\.0\.0\.1 - CN=client\\x20one \[/);
});

test("tls-client-verify = optional: a certificate of another authority is refused; note: it is as good as none", async (t) => {
  for (const verify of ["optional", "note"]) {
    const site = await startTls(t, { configuration: { ...OTHER_AUTHORITY, "tls-client-verify": verify } });
    for (const version of VERSIONS) {
      assert.equal((await visit(site.tlsPort, { version })).status, 200);
      if (verify === "optional") {
        assert.match(await failure(site.tlsPort, { version, certificate: OURS }), UNKNOWN_CA);
      } else {
        assert.equal((await visit(site.tlsPort, { version, certificate: OURS }, `/small.txt?${version}`)).status, 200);
        assert.match(await logLine(site, new RegExp(`.*\\?${version} .*`)), /^127\.0\.0\.1 - - \[/);
      }
    }
  }
});

test("the subject of a client's certificate is in every line of its connection, resumed or not", async (t) => {
  const site = await startTls(t, { configuration: AUTHORITY });
  for (const version of VERSIONS) {
    const { session } = await visit(site.tlsPort, { version, certificate: OURS }, `/small.txt?${version}-first`);
    const again = await visit(site.tlsPort, { version, certificate: OURS, session }, `/small.txt?${version}-again`);
    assert.equal(again.isResumed, true);
    for (const which of ["first", "again"]) {
      const line = await logLine(site, new RegExp(`.*\\?${version}-${which} .*`));
      assert.match(line, /^127\.0\.0\.1 - CN=client\\x20one \[/);
    }
  }
});

test("logformat = json: the subject of a client's certificate", async (t) => {
  const configuration = { ...AUTHORITY, "tls-client-verify": "optional", logformat: "json" };
  const site = await startTls(t, { configuration });
  await visit(site.tlsPort, { certificate: OURS }, "/small.txt?ours");
  await visit(site.tlsPort, {}, "/small.txt?none");
  assert.equal(JSON.parse(await logLine(site, /.*\?ours.*/)).certificate, "CN=client one");
  assert.ok(!("certificate" in JSON.parse(await logLine(site, /.*\?none.*/))));
});
