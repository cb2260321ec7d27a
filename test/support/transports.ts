/**
 * Every way in which a server may serve its connections, for tests that hold for all of them; and the simplest listener.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Endpoint, PeerAddress } from "../../src/base/endpoint.ts";
import { milliseconds } from "../../src/base/units.ts";
import { readIdentity } from "../../src/tls/certificate.ts";
import { probeHandles } from "../../src/tls/probe-handles.ts";
import { TlsAcceptor } from "../../src/tls/tls-acceptor.ts";
import type { TlsRules } from "../../src/tls/tls-context.ts";
import type { TlsMaterial } from "../../src/tls/tls-identity.ts";
import { findNodeInternals } from "../../src/transport/node-internals.ts";
import type { AcceptedTransport, ByteStream, TransportEvents } from "../../src/transport/transport.ts";
import type { TransportChoice } from "../../src/transport/transport-choice.ts";
import { listenHere } from "./listen-here.ts";
import { readKey } from "./tls-client.ts";

export interface NamedTransport {
  readonly kind: TransportChoice["kind"];
  readonly choice: Promise<TransportChoice>;
}

const socket: NamedTransport = {
  kind: "socket",
  choice: Promise.resolve({ kind: "socket", why: "the test wants it" }),
};

/** Where Node withholds its inside from us the handles are left out; that it does not is a test of its own. */
export function eachTransport(): readonly NamedTransport[] {
  if (findNodeInternals().kind === "missing") return [socket];
  return [{ kind: "handle", choice: requireHandles() }, socket];
}

async function requireHandles(): Promise<TransportChoice> {
  const choice = await probeHandles();
  if (choice.kind === "socket") throw new Error(choice.why);
  return choice;
}

/** Two ends of one connection, both ready: what a client has of it, and what the server has. */
export interface TransportPair {
  readonly client: Socket;
  readonly transport: ByteStream;
}

/** A transport and what carries its bytes. */
export interface Carrier {
  readonly kind: NamedTransport["kind"] | `TLS ${NamedTransport["kind"]}`;
  readonly families: readonly Endpoint["kind"][];
  /** What is known of a peer besides its address. */
  readonly peerFacts: Pick<PeerAddress, "tls">;
  /** Why it does not tell how many bytes the kernel has; undefined where it does. */
  readonly cannotCount: string | undefined;
  /** Why its client cannot break the connection (RST); undefined where it can. */
  readonly cannotReset: string | undefined;
  /** The caller destroys both ends. */
  readonly openPair: (endpoint: Endpoint) => Promise<TransportPair>;
}

/** Those that serve plain connections, and those over TLS, which a server speaks on TCP alone. */
export function eachCarrier(): readonly Carrier[] {
  const plain = eachTransport().map(({ kind, choice }): Carrier => {
    const openPair = async (endpoint: Endpoint): Promise<TransportPair> => openPlainPair(endpoint, await choice);
    return { kind, families: ["tcp", "unix"], peerFacts: {}, cannotCount: undefined, cannotReset: undefined, openPair };
  });
  const tls = eachTransport().map(
    ({ kind, choice }): Carrier => ({
      kind: `TLS ${kind}`,
      families: ["tcp"],
      peerFacts: { tls: {} },
      cannotCount: "a chunk is sealed whole, and counts until Node has told that the last of it is gone",
      cannotReset: "Node resets no socket that is under TLS",
      openPair: async (endpoint) => openTlsPair(endpoint, await choice),
    }),
  );
  return [...plain, ...tls];
}

async function openPlainPair(endpoint: Endpoint, choice: TransportChoice): Promise<TransportPair> {
  const { promise: accepted, resolve: accept } = promised<ByteStream>();
  const listener = await listenHere(endpoint, 16, accept, choice);
  const { endpoint: bound } = listener;
  const target = bound.kind === "tcp" ? { host: bound.host, port: bound.port } : { path: bound.path };
  const client = connect({ ...target, allowHalfOpen: true });
  client.on("error", () => undefined);
  const transport = await accepted;
  listener.close();
  return { client, transport };
}

/** Both ends have done their part of the handshake. */
async function openTlsPair(wanted: Endpoint, choice: TransportChoice): Promise<TransportPair> {
  const { promise: accepted, resolve: accept, reject } = promised<ByteStream>();
  const acceptor = new TlsAcceptor({
    material: testMaterial(),
    rules: testTlsRules({ minVersion: "TLSv1.3", alpn: ["http/1.1"] }),
    choice,
    maxHandshakes: 1,
    isTrustedProxy: undefined,
    onSecure: ({ transport }) => accept(transport),
    onFailed: (why) => reject(new Error(why)),
    onLeft: () => reject(new Error("the client left")),
    onFault: (fault) => reject(fault),
  });
  const listener = await listenHere(wanted, 16, (incoming) => acceptor.accept(incoming), choice);
  const { endpoint } = listener;
  if (endpoint.kind === "unix") throw new Error("TLS is for TCP");
  const below = connect({ host: endpoint.host, port: endpoint.port, allowHalfOpen: true });
  const client = connectTls({ socket: below, servername: "localhost", ca: readKey("ca.pem") });
  client.on("error", () => undefined);
  const secure = once(client, "secureConnect");
  const transport = await accepted;
  await secure;
  listener.close();
  return { client, transport };
}

export function testMaterial(): TlsMaterial {
  const certificate = { name: "p256.pem", text: readKey("p256.pem") };
  const result = readIdentity({ certificate, key: undefined, ocsp: undefined }, Date.now());
  if (result.kind === "fault") throw new Error(result.fault);
  const { identity } = result;
  return { identities: [identity], fallback: identity, ticketKeys: [Buffer.alloc(48)], clientAuthorities: undefined };
}

/** As a site has them where nothing was set, but for `changes`. */
export function testTlsRules(changes: Partial<TlsRules> = {}): TlsRules {
  return {
    minVersion: "TLSv1.2",
    ciphers: undefined,
    suites: undefined,
    curves: undefined,
    sniStrict: false,
    clientVerify: "require",
    handshakeTimeout: milliseconds(20_000),
    alpn: [],
    ...changes,
  };
}

function promised<Value>() {
  let resolve: (value: Value) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<Value>((keep, fail) => {
    resolve = keep;
    reject = fail;
  });
  return { promise, resolve, reject };
}

export function sayHello(transport: AcceptedTransport): void {
  transport.start(deaf, rethrow);
  transport.write(Buffer.from("hello"));
  transport.end();
}

const deaf: TransportEvents = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrained: () => undefined,
  onClosed: () => undefined,
};

function rethrow(fault: unknown): never {
  throw fault;
}
