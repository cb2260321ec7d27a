/**
 * Handshakes with a terminator, ours and hitch: which certificate is shown, which version and protocol are agreed on, and
 * whom a client certificate lets in.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SecureVersion } from "node:tls";
import { Backend } from "../support/terminator-backend.ts";
import { type CallOptions, greet, refusal } from "../support/terminator-caller.ts";
import { startComanche } from "../support/terminator-comanche.ts";
import { testBoth } from "../support/terminator-programs.ts";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;

// ---- by name

/** The last is for whoever names no other, with hitch too ("the last certificate listed", hitch.conf(5)). */
const PEMS = ["expired.pem", "wildcard.pem", "p256.pem"];

const NAMES: readonly [what: string, servername: string | undefined, want: string, strictly: string][] = [
  ["one that two have is the first's", "localhost", "expired", "expired"],
  ["in upper case", "A.TEST", "expired", "expired"],
  ["one label for the wildcard", "www.wild.test", "wildcard", "wildcard"],
  ["two labels for the wildcard", "a.b.wild.test", "p256", "refused"],
  ["no label for the wildcard", "wild.test", "p256", "refused"],
  ["an unknown one", "unknown.test", "p256", "refused"],
  ["none", undefined, "p256", "p256"],
];

for (const isStrict of [false, true]) {
  testBoth(`which certificate a server name gets${isStrict ? ", strictly" : ""}`, async (t, program) => {
    const backend = await Backend.start(t, "echoes");
    const { port } = await program.start(t, { backend: backend.place, pems: PEMS, sniStrict: isStrict });
    for (const version of VERSIONS) {
      for (const [what, servername, loosely, strictly] of NAMES) {
        await t.test(`${version}: ${what}`, async (t) => {
          const want = isStrict ? strictly : loosely;
          const options = { version, ...(servername === undefined ? {} : { servername }) };
          if (want === "refused") assert.match(await refusal(t, port, options), /^(ECONNRESET|ERR_SSL_[\w/]+)$/);
          else {
            const { name, isTrusted } = await greet(t, port, options);
            assert.deepEqual([name, isTrusted], [want, want !== "expired"]);
          }
        });
      }
    }
  });
}

const KINDS: readonly (readonly [pems: readonly string[], servername: string, want: string])[] = [
  [["rsa.pem", "wildcard.pem"], "localhost", "rsa"],
  [["rsa.pem", "wildcard.pem"], "www.wild.test", "wildcard"],
  [["rsa.pem", "wildcard.pem"], "unknown.test", "wildcard"],
  [["wildcard.pem", "rsa.pem"], "localhost", "rsa"],
  [["wildcard.pem", "rsa.pem"], "www.wild.test", "wildcard"],
  [["wildcard.pem", "rsa.pem"], "unknown.test", "rsa"],
];

testBoth("which certificate a server name gets, with keys of two kinds", async (t, program) => {
  const backend = await Backend.start(t, "echoes");
  for (const pems of new Set(KINDS.map(([pems]) => pems.join()))) {
    const { port } = await program.start(t, { backend: backend.place, pems: pems.split(",") });
    for (const [, servername, want] of KINDS.filter(([each]) => each.join() === pems)) {
      for (const version of VERSIONS) {
        await t.test(`${pems}: ${version}: ${servername}`, async (t) => {
          assert.equal((await greet(t, port, { version, servername })).name, want);
        });
      }
    }
  }
});

// hitch has the first alone.
test("comanche tls: where two have a name, and keys of two kinds, a client gets the one that it can use", async (t) => {
  const backend = await Backend.start(t, "echoes");
  const { port } = await startComanche(t, { backend: backend.place, pems: ["p256.pem", "rsa.pem", "wildcard.pem"] });
  for (const version of VERSIONS) {
    const ask = async (options: CallOptions): Promise<string | undefined> =>
      (await greet(t, port, { version, servername: "localhost", ...options })).name;
    assert.equal(await ask({}), "p256");
    assert.equal(await ask({ sigalgs: "rsa_pss_rsae_sha256" }), "rsa");
    assert.equal(await ask({ sigalgs: "ecdsa_secp256r1_sha256" }), "p256");
  }
});

// ---- what is agreed on

const MINIMA: readonly [minimum: "1.2" | "1.3" | undefined, served: readonly SecureVersion[]][] = [
  [undefined, ["TLSv1.2", "TLSv1.3"]],
  ["1.3", ["TLSv1.3"]],
];

for (const [minimum, served] of MINIMA) {
  testBoth(`protocol versions, from ${minimum ?? "the default"} on`, async (t, program) => {
    const backend = await Backend.start(t, "echoes");
    const least = minimum === undefined ? {} : { minVersion: minimum };
    const { port } = await program.start(t, { backend: backend.place, ...least });
    for (const version of ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const) {
      if (served.includes(version)) assert.equal((await greet(t, port, { version })).version, version);
      else assert.equal(await refusal(t, port, { version }), "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    }
    assert.equal((await greet(t, port)).version, "TLSv1.3");
    assert.equal(backend.count, served.length + 1, "whoever is refused does not reach the backend");
  });
}

testBoth("application protocols: the first of its own that the client has", async (t, program) => {
  const backend = await Backend.start(t, "echoes");
  const { port } = await program.start(t, { backend: backend.place, alpn: ["h2", "http/1.1"] });
  for (const version of VERSIONS) {
    assert.equal((await greet(t, port, { version, alpn: ["http/1.1", "h2"] })).alpn, "h2");
    assert.equal((await greet(t, port, { version, alpn: ["http/1.1"] })).alpn, "http/1.1");
    assert.equal((await greet(t, port, { version })).alpn, false);
  }
});

testBoth("application protocols: none by itself", async (t, program) => {
  const backend = await Backend.start(t, "echoes");
  const { port } = await program.start(t, { backend: backend.place });
  assert.equal((await greet(t, port, { alpn: ["h2", "http/1.1"] })).alpn, false);
});

// ---- client certificates

const OURS = "client.pem";
/** A certificate that its authority has given out for servers. */
const FOREIGN = "rsa.pem";
/** With TLS 1.3 it comes when the client takes the connection to be made. */
const REFUSED = /ERR_SSL_[\w/]+|ECONNRESET|it ended|closed without an end/;

testBoth("client certificates, required: none and a foreign one are refused", async (t, program) => {
  const backend = await Backend.start(t, "echoes");
  const { port } = await program.start(t, { backend: backend.place, clientCa: "client-ca.pem" });
  for (const version of VERSIONS) {
    await t.test(version, async (t) => {
      const before = backend.count;
      assert.match(await refusal(t, port, { version }), REFUSED);
      assert.match(await refusal(t, port, { version, certificate: FOREIGN }), REFUSED);
      assert.equal(backend.count, before, "whoever is refused does not reach the backend");
      const { session } = await greet(t, port, { version, certificate: OURS });
      await greet(t, port, { version, certificate: OURS, session });
    });
  }
});

testBoth("client certificates, required: one of another authority is refused", async (t, program) => {
  const backend = await Backend.start(t, "echoes");
  const { port } = await program.start(t, { backend: backend.place, clientCa: "ca.pem" });
  for (const version of VERSIONS) assert.match(await refusal(t, port, { version, certificate: OURS }), REFUSED);
  assert.equal(backend.count, 0);
});

testBoth("client certificates, optional: none is let in, one of another authority is not", async (t, program) => {
  const backend = await Backend.start(t, "echoes");
  const ca = { clientCa: "client-ca.pem", clientVerify: "optional" } as const;
  const { port } = await program.start(t, { backend: backend.place, ...ca });
  for (const version of VERSIONS) {
    await greet(t, port, { version });
    await greet(t, port, { version, certificate: OURS });
    assert.match(await refusal(t, port, { version, certificate: FOREIGN }), REFUSED);
  }
});
