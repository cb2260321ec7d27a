/**
 * A client of a terminator: its handshake, whatever comes ahead of that, and its end of the tunnel.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import type { TestContext } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { errorCode } from "../../src/base/errors.ts";
import type { Backend } from "./terminator-backend.ts";
import { HeldEnd } from "./terminator-end.ts";
import { type Agreed, readKey, type TlsOptions } from "./tls-client.ts";

export interface CallOptions extends TlsOptions {
  /** Sent ahead of the handshake, each in a write of its own. */
  readonly preamble?: readonly Uint8Array[];
  /** 127.0.0.1 without. */
  readonly host?: string;
  /** The address it calls from; the system's choice without. */
  readonly from?: string;
  /** Signature algorithms that it accepts, as OpenSSL calls them. */
  readonly sigalgs?: string;
}

export interface Caller {
  readonly end: HeldEnd;
  readonly agreed: Agreed;
  /** As OpenSSL calls it. */
  readonly cipher: string;
  readonly address: { readonly address: string; readonly port: number };
  /** The newest: with TLS 1.3 it comes after the handshake. */
  session(): Buffer | undefined;
  /** Leaves at once, with a TCP reset. */
  reset(): void;
}

const PATIENCE_MS = 60_000;

/** With TLS 1.3 a client may be refused after that. @throws what keeps it from connecting, or ends the handshake */
export async function call(t: TestContext, port: number, options: CallOptions = {}): Promise<Caller> {
  const { servername, version, alpn, session, certificate, preamble = [], host = "127.0.0.1", from, sigalgs } = options;
  const below = connectTcp({ host, port, allowHalfOpen: true, noDelay: true, ...(from && { localAddress: from }) });
  t.after(() => below.destroy());
  await once(below, "connect");
  // From now on the socket on top of it tells.
  below.on("error", () => undefined);
  for (const piece of preamble) await new Promise((resolve) => below.write(piece, resolve));
  const socket = connectTls({
    socket: below,
    ca: readKey("ca.pem"),
    // What is wrong with a certificate is for a test to say.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(servername === undefined ? {} : { servername }),
    // OpenSSL offers what is older only to those who insist.
    ...(version === undefined ? {} : { minVersion: version, maxVersion: version, ciphers: "DEFAULT:@SECLEVEL=0" }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    ...(sigalgs === undefined ? {} : { sigalgs }),
    ...(session === undefined ? {} : { session }),
    ...(certificate === undefined ? {} : { cert: readKey(certificate), key: readKey(certificate) }),
  });
  t.after(() => socket.destroy());
  let newest: Buffer | undefined;
  socket.on("session", (given) => {
    newest = given;
  });
  const end = new HeldEnd(socket);
  await once(socket, "secureConnect", { signal: AbortSignal.timeout(PATIENCE_MS) });
  const address = { address: socket.localAddress ?? "", port: socket.localPort ?? 0 };
  return {
    end,
    agreed: agreedOn(socket),
    cipher: socket.getCipher().name,
    address,
    session: () => newest,
    reset: () => void below.resetAndDestroy(),
  };
}

function agreedOn(socket: TLSSocket): Agreed {
  return {
    name: socket.getPeerX509Certificate()?.subject.replace("CN=", ""),
    isTrusted: socket.authorized,
    version: socket.getProtocol(),
    alpn: socket.alpnProtocol,
    isResumed: socket.isSessionReused(),
  };
}

export interface Tunnel {
  readonly client: Caller;
  readonly server: HeldEnd;
}

/** A client that is in, and its connection at the backend, of which nothing has been read. */
export async function tunnel(
  t: TestContext,
  port: number,
  backend: Backend,
  options: CallOptions = {},
): Promise<Tunnel> {
  const client = await call(t, port, options);
  return { client, server: await backend.next() };
}

/** Bytes go through it, both ways. @throws when they do not */
export async function assertJoined({ client, server }: Tunnel): Promise<void> {
  client.end.send("ping");
  assert.equal((await server.take(4)).toString("latin1"), "ping");
  server.send("pong");
  assert.equal((await client.end.take(4)).toString("latin1"), "pong");
}

/** Both ways end, the client's first. @throws when they do not */
export async function close({ client, server }: Tunnel): Promise<void> {
  client.end.end();
  await server.takeRest();
  server.end();
  await client.end.takeRest();
}

/** Calls a terminator whose backend echoes, and leaves. @throws when a client is not served */
export async function greet(t: TestContext, port: number, options: CallOptions = {}): Promise<Greeting> {
  const { end, agreed, session } = await call(t, port, options);
  try {
    end.send("hello");
    assert.equal((await end.take(5)).toString("latin1"), "hello");
    return { ...agreed, session: session() };
  } finally {
    end.destroy();
  }
}

export interface Greeting extends Agreed {
  readonly session: Buffer | undefined;
}

/** Why a client is not served: the code of an error, or what it says. `NAME answers` when it is served. */
export async function refusal(t: TestContext, port: number, options: CallOptions = {}): Promise<string> {
  try {
    return `${(await greet(t, port, options)).name} answers`;
  } catch (error) {
    return errorCode(error) ?? String(error);
  }
}
