import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import type { SecureVersion } from "node:tls";
import type { ProxyTls, ProxyTlvs } from "../../src/proxy/encode.ts";
import { readIdentity } from "../../src/tls/certificate.ts";
import { type SecureClient, TlsAcceptor } from "../../src/tls/tls-acceptor.ts";
import type { TlsIdentity, TlsMaterial } from "../../src/tls/tls-identity.ts";
import { SocketTransport } from "../../src/transport/socket-transport.ts";
import { commonNameOf, describeClient } from "../../src/tunnel/preamble-facts.ts";
import { readKey, TlsClient, type TlsOptions } from "../support/tls-client.ts";
import { testTlsRules } from "../support/transports.ts";
import { until } from "../support/until.ts";

const NO_FACTS = { header: new Uint8Array(0) };
const CLAIMED = { address: "192.0.2.1", port: 7 };

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function acceptPlain(t: TestContext): Promise<Socket> {
  const server = createServer();
  const port = await listen(t, server);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = connect(port, "127.0.0.1");
  const [socket] = await accepted;
  t.after(() => {
    client.destroy();
    socket.destroy();
  });
  return socket;
}

test("describeClient: who is said to be there, and where he connected to", async (t) => {
  const socket = await acceptPlain(t);
  const header = Buffer.from("PROXY");
  const told = describeClient(new SocketTransport(socket, CLAIMED), { header });
  assert.ok(told !== undefined);
  assert.deepEqual(told.client, CLAIMED);
  assert.deepEqual(told.server, { address: "127.0.0.1", port: socket.localPort });
  assert.equal(told.header, header);
  assert.deepEqual(told.tlvs(), {});
});

const gone: [name: string, leave: (socket: Socket) => Promise<unknown>][] = [
  ["is being closed", async (socket) => socket.destroy()],
  ["is closed", (socket) => once(socket.destroy(), "close")],
];
for (const [name, leave] of gone) {
  test(`describeClient: nobody, where the socket ${name}`, async (t) => {
    const socket = await acceptPlain(t);
    await leave(socket);
    assert.equal(describeClient(new SocketTransport(socket, CLAIMED), NO_FACTS), undefined);
  });
}

// ---- TLS

interface Session {
  readonly client: TlsClient;
  readonly tlvs: ProxyTlvs;
}

interface Service {
  visit(options?: TlsOptions): Promise<Session>;
}

async function openService(t: TestContext): Promise<Service> {
  const secured: ((client: SecureClient) => void)[] = [];
  const acceptor = new TlsAcceptor({
    material: MATERIAL,
    rules: RULES,
    choice: { kind: "socket", why: "the test wants it" },
    maxHandshakes: 10,
    isTrustedProxy: undefined,
    onSecure: (client) => secured.shift()?.(client),
    onFailed: (why) => assert.fail(why),
    onLeft: () => assert.fail("a client left"),
    onFault: assert.ifError,
  });
  const port = await listen(
    t,
    createServer({ allowHalfOpen: true }, (socket) => acceptor.accept(new SocketTransport(socket, CLAIMED))),
  );
  return {
    visit: async (options) => {
      const secure = new Promise<SecureClient>((resolve) => void secured.push(resolve));
      const client = await TlsClient.connect(port, options);
      const { transport, session, serverName, header } = await secure;
      transport.start(DEAF, assert.ifError);
      // A ticket goes out with the first bytes.
      transport.write(Buffer.from("hello"));
      t.after(() => {
        client.leave();
        transport.destroy();
      });
      transport.peer = CLAIMED;
      const tlvs = describeClient(transport, { session, serverName, header })?.tlvs();
      assert.ok(tlvs !== undefined);
      return { client, tlvs };
    },
  };
}

const DEAF = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrained: () => undefined,
  onClosed: () => undefined,
};

const RULES = testTlsRules({ clientVerify: "note", alpn: ["h2", "http/1.1"] });

const IDENTITY = identityFrom("p256.pem");
const MATERIAL: TlsMaterial = {
  identities: [IDENTITY],
  fallback: IDENTITY,
  ticketKeys: [new Uint8Array(48)],
  clientAuthorities: readKey("client-ca.pem"),
};

function identityFrom(name: string): TlsIdentity {
  const certificate = { name, text: readKey(name) };
  const result = readIdentity({ certificate, key: undefined, ocsp: undefined }, Date.now());
  assert.ok(result.kind === "identity");
  return result.identity;
}

const CIPHERS: Readonly<Record<string, RegExp>> = {
  "TLSv1.2": /^ECDHE-ECDSA-[A-Z0-9-]+$/,
  "TLSv1.3": /^TLS_[A-Z0-9_]+$/,
};

const VERIFIED = 0;
const NOT_VERIFIED = 1;
/** X509_V_ERR_INVALID_PURPOSE: of several faults OpenSSL reports the last. */
const NOT_FOR_CLIENTS = 26;

const sessions: [name: string, options: TlsOptions, want: ProxyTlvs][] = [
  ["nothing but TLS", {}, { tls: { certificate: "none", verify: NOT_VERIFIED } }],
  ["a name", { servername: "a.test" }, { authority: "a.test", tls: { certificate: "none", verify: NOT_VERIFIED } }],
  [
    "a protocol that was agreed on",
    { alpn: ["http/1.1", "h3"] },
    { alpn: "http/1.1", tls: { certificate: "none", verify: NOT_VERIFIED } },
  ],
  [
    "a certificate",
    { certificate: "client.pem" },
    { tls: { certificate: "in-connection", verify: VERIFIED, commonName: "client one" } },
  ],
  [
    "a certificate of somebody else's authority",
    { certificate: "rsa.pem" },
    { tls: { certificate: "in-connection", verify: NOT_FOR_CLIENTS, commonName: "rsa" } },
  ],
];
const unverified: [name: string, options: TlsOptions, want: ProxyTls][] = [
  ["no certificate", {}, { certificate: "none", verify: NOT_VERIFIED }],
  [
    "somebody else's authority",
    { certificate: "rsa.pem" },
    { certificate: "in-session", verify: NOT_FOR_CLIENTS, commonName: "rsa" },
  ],
];
for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  for (const [name, options, want] of sessions) {
    test(`describeClient: ${version}: ${name}`, async (t) => {
      const { visit } = await openService(t);
      const { tlvs } = await visit({ ...options, version });
      assertTlvs(tlvs, version, want);
    });
  }

  test(`describeClient: ${version}: a session that is resumed`, async (t) => {
    const { visit } = await openService(t);
    const options: TlsOptions = { version, certificate: "client.pem", servername: "a.test" };
    const { client } = await visit(options);
    const session = await until("there is a ticket", () => client.session);
    const again = await visit({ ...options, session });
    assert.equal(again.client.agreed.isResumed, true);
    const tls = { certificate: "in-session", verify: VERIFIED, commonName: "client one" } as const;
    assertTlvs(again.tlvs, version, { authority: "a.test", tls });
  });

  for (const [name, options, want] of unverified) {
    test(`describeClient: ${version}: a session that is resumed is verified no more than before: ${name}`, async (t) => {
      const { visit } = await openService(t);
      const { client } = await visit({ ...options, version });
      const session = await until("there is a ticket", () => client.session);
      const again = await visit({ ...options, version, session });
      assert.equal(again.client.agreed.isResumed, true);
      assertTlvs(again.tlvs, version, { tls: want });
    });
  }
}

/** O=x, OU=b + CN=J\\ö, "a", CN=second: as RFC 4514 writes it, there are backslashes more. */
const TWO_NAMES = `-----BEGIN CERTIFICATE-----
MIIBcjCCARkCFEY7+PEKk1ljBUIcDAZ+W99Upq4qMAoGCCqGSM49BAMCMDsxCjAI
BgNVBAoMAXgxHDAIBgNVBAsMAWIwEAYDVQQDDAlKXMO2LCAiYSIxDzANBgNVBAMM
BnNlY29uZDAgFw0yNjExMjExMDEyMzBaGA8yMTI2MTAyODEwMTIzMFowOzEKMAgG
A1UECgwBeDEcMAgGA1UECwwBYjAQBgNVBAMMCUpcw7YsICJhIjEPMA0GA1UEAwwG
c2Vjb25kMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEc9FcsDYj1mFMK/fKOiTr
56U16Y6WYtBiEXzwrv7v4ghSkHbBDNHb108YvqLa6/ue4R8xU7V/4vCNbs9kv61I
AzAKBggqhkjOPQQDAgNHADBEAiAg+dF+o4tOVFPhg3heoyCTLRCL0GoslX7ioaxa
hSeSZQIgcnQKlh/bkrpjvPNrTdsYiM27mF4EFj7/D4Y9c//gHDk=
-----END CERTIFICATE-----
`;
/** O=CN=x */
const NO_NAME = `-----BEGIN CERTIFICATE-----
MIIBGjCBwQIUFqcMGXFBqUW8X5Z7usKgvKp8zygwCgYIKoZIzj0EAwIwDzENMAsG
A1UECgwEQ049eDAgFw0yNjExMjExMDEyMzBaGA8yMTI2MTAyODEwMTIzMFowDzEN
MAsGA1UECgwEQ049eDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJYBa+cqPueN
GMpCAmXGRuC2zNYp4LGYljjfyKAeipVFaPMp10lPsa2+amTsiamKBiv2TYQFnYPT
gFJ6So/vosYwCgYIKoZIzj0EAwIDSAAwRQIgSrAgSFkHZMtJCUFsIvjLVpFKBmPs
Y50O6HdyCtPfwU8CIQClW67X1JroNqp50zR7WMaX9okMlxrl4VxfsV2uAeYhCA==
-----END CERTIFICATE-----
`;

const names: [name: string, certificate: string, want: string | undefined][] = [
  ["without backslashes of its own, beside something else, and the first of two", TWO_NAMES, 'J\\ö, "a"'],
  ["none, where another part looks like it", NO_NAME, undefined],
];
for (const [name, certificate, want] of names) {
  test(`commonNameOf: ${name}`, () => assert.equal(commonNameOf(new X509Certificate(certificate)), want));
}

/** @param want  but for what the version tells */
function assertTlvs(tlvs: ProxyTlvs, version: SecureVersion, want: ProxyTlvs): void {
  const { cipher = "", version: told, ...tls } = tlvs.tls ?? assert.fail("nothing about TLS");
  assert.match(cipher, CIPHERS[version] ?? /^$/);
  assert.equal(told, version);
  assert.deepEqual({ ...tlvs, tls }, want);
}
