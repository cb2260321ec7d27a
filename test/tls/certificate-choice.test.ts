/** Two certificates for the same names: which one a client is shown, and the response that goes with it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { connect, type SecureContextOptions } from "node:tls";
import { readIdentity } from "../../src/tls/certificate.ts";
import { chooseShowing, planShowings } from "../../src/tls/certificate-choice.ts";
import type { ClientOffer } from "../../src/tls/client-offer.ts";
import { TlsAcceptor } from "../../src/tls/tls-acceptor.ts";
import type { TlsRules } from "../../src/tls/tls-context.ts";
import type { TlsIdentity, TlsMaterial } from "../../src/tls/tls-identity.ts";
import type { TransportChoice } from "../../src/transport/transport-choice.ts";
import { listenHere } from "../support/listen-here.ts";
import { keyPath, readKey } from "../support/tls-client.ts";
import { eachTransport, testMaterial, testTlsRules } from "../support/transports.ts";

const stapleOf = (name: string) => readFileSync(keyPath(`staples/${name}.pem.ocsp`));

function identityOf(name: string): TlsIdentity {
  const certificate = { name, text: readKey(`staples/${name}.pem`) };
  const ocsp = { name, bytes: stapleOf(name) };
  const result = readIdentity({ certificate, key: undefined, ocsp }, Date.parse("2030-01-01"));
  assert.ok(result.kind === "identity");
  assert.deepEqual(result.warnings, []);
  return result.identity;
}

const RSA = identityOf("rsa");
const EC = identityOf("p256");
const materialOf = (...identities: [TlsIdentity, ...TlsIdentity[]]): TlsMaterial => {
  return { ...testMaterial(), identities, fallback: identities[0] };
};

const RULES = testTlsRules();

// A client of today, and one of some years ago.
const NEW: ClientOffer = {
  versions: [0x0304, 0x0303],
  ciphers: [0x1301, 0xc02b, 0xc02f],
  schemes: [0x0403, 0x0804, 0x0401],
  groups: [29, 23],
  limitsChain: false,
};
const OLD: ClientOffer = { ...NEW, versions: [] };

type Choice = "p256" | "rsa" | "OpenSSL's";
const choices: [name: string, offer: ClientOffer, want: Choice, rules?: Partial<TlsRules>][] = [
  ["TLS 1.3, both", NEW, "p256"],
  ["TLS 1.3, whatever our ciphers for TLS 1.2 are", NEW, "p256", { ciphers: "ECDHE-RSA-AES128-GCM-SHA256" }],
  ["TLS 1.3, ECDSA with another curve", { ...NEW, schemes: [0x0503, 0x0804] }, "rsa"],
  ["TLS 1.3, neither", { ...NEW, schemes: [0x0401, 0x0603] }, "OpenSSL's"],
  ["TLS 1.3, other rules for the chain", { ...NEW, limitsChain: true }, "OpenSSL's"],
  ["TLS 1.2, both", OLD, "p256"],
  ["TLS 1.2, no cipher with ECDSA", { ...OLD, ciphers: [0xc02f, 0x009c] }, "rsa"],
  ["TLS 1.2, without the curve of the key", { ...OLD, groups: [29, 24] }, "OpenSSL's"],
  ["TLS 1.2, without a scheme for ECDSA", { ...OLD, schemes: [0x0804, 0x0401] }, "OpenSSL's"],
  ["TLS 1.2 without extensions", { ...OLD, schemes: [], groups: [] }, "OpenSSL's"],
  ["TLS 1.2, ciphers of the settings", OLD, "OpenSSL's", { ciphers: "HIGH" }],
  ["TLS 1.2, groups of the settings", OLD, "OpenSSL's", { curves: "X25519" }],
];
for (const [name, offer, want, rules] of choices) {
  test(`chooseShowing: ${name}`, () => {
    for (const plan of planShowings(materialOf(RSA, EC))) {
      const { identities, staple } = chooseShowing(plan, offer, { ...RULES, ...rules });
      const shown = identities.length === 1 ? identities[0]?.file : "OpenSSL's";
      assert.equal(shown, want);
      assert.deepEqual(staple, want === "OpenSSL's" ? undefined : stapleOf(want));
    }
  });
}

test("planShowings: without a staple OpenSSL chooses, with one identity there is no choice", () => {
  const bare = (identity: TlsIdentity): TlsIdentity => ({ ...identity, staple: undefined });
  for (const { alone, together } of planShowings(materialOf(bare(RSA), bare(EC)))) {
    assert.deepEqual([alone.length, together.identities.length, together.staple], [0, 2, undefined]);
  }
  const [only] = planShowings(materialOf(RSA));
  assert.deepEqual([only?.alone.length, only?.together.staple], [0, RSA.staple?.bytes]);
});

async function open(t: TestContext, choice: TransportChoice): Promise<number> {
  const ignore = (): undefined => undefined;
  const acceptor = new TlsAcceptor({
    material: materialOf(RSA, EC),
    rules: RULES,
    choice,
    maxHandshakes: 1,
    isTrustedProxy: undefined,
    onSecure: ({ transport }) => {
      transport.start({ onBytes: ignore, onEnd: ignore, onDrained: ignore, onClosed: ignore }, assert.ifError);
      transport.end();
    },
    onFailed: assert.ifError,
    onLeft: ignore,
    onFault: assert.ifError,
  });
  const wanted = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
  const listener = await listenHere(wanted, 16, (transport) => acceptor.accept(transport), choice);
  t.after(() => listener.close());
  assert.ok(listener.endpoint.kind === "tcp");
  return listener.endpoint.port;
}

const RSA_ALONE = { sigalgs: "RSA-PSS+SHA256:RSA+SHA256" };
const handshakes: [name: string, options: SecureContextOptions, want: "p256" | "rsa"][] = [
  ["TLS 1.3", { minVersion: "TLSv1.3" }, "p256"],
  ["TLS 1.3 with RSA alone", { minVersion: "TLSv1.3", ...RSA_ALONE }, "rsa"],
  ["TLS 1.2", { maxVersion: "TLSv1.2" }, "p256"],
  ["TLS 1.2 with RSA alone", { maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256" }, "rsa"],
];
for (const { kind, choice } of eachTransport()) {
  test(`each of two certificates goes out with its own staple, on a ${kind}`, async (t) => {
    const port = await open(t, await choice);
    for (const [name, options, want] of handshakes) {
      // Node's types do not have the option.
      const asking = { requestOCSP: true };
      const to = { port, host: "127.0.0.1", rejectUnauthorized: false };
      const socket = connect({ ...to, ...asking, ...options });
      t.after(() => socket.destroy());
      socket.resume();
      const [[response]] = await Promise.all([once(socket, "OCSPResponse"), once(socket, "end")]);
      assert.equal(socket.getPeerX509Certificate()?.subject, `CN=stapled ${want}`, name);
      assert.deepEqual(response, stapleOf(want), name);
      socket.destroy();
    }
  });
}
