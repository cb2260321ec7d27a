/**
 * HTTPS from both ends: a live server with the keys of the tests, and a client that writes its requests by hand and tells
 * what was agreed in the handshake.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import type { TestContext } from "node:test";
import { connect, type SecureVersion, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { errorCode } from "../../src/base/errors.ts";
import type { Reply } from "./errands.ts";
import { type LiveOptions, LiveServer } from "./live-server.ts";

export interface TlsOptions {
  /** Sent as the server name (RFC 6066 §3); none is sent without. */
  readonly servername?: string;
  /** The only one that is offered. */
  readonly version?: SecureVersion;
  readonly alpn?: readonly string[];
  /** Of an earlier visit. */
  readonly session?: Buffer | undefined;
  /** File of test/keys with the client's certificate and key. */
  readonly certificate?: string;
}

/** What was agreed in the handshake. */
export interface Agreed {
  /** The common name in the server's certificate; undefined where none came, because a session was resumed. */
  readonly name: string | undefined;
  /** Whether the authority of the tests has certified it, by the certificates that came with it. */
  readonly isTrusted: boolean;
  readonly version: string | null;
  readonly alpn: string | false | null;
  readonly isResumed: boolean;
}

export interface Visit extends Agreed, Reply {
  /** The newest. */
  readonly session: Buffer | undefined;
}

const PATIENCE_MS = 60_000;

export function keyPath(name: string): string {
  return fileURLToPath(new URL(`../../../test/keys/${name}`, import.meta.url));
}

export function readKey(name: string): string {
  return readFileSync(keyPath(name), "latin1");
}

export interface TlsServer {
  readonly server: LiveServer;
  readonly tlsPort: number;
}

/** The main section that a server with TLS has unless a test says otherwise. */
export const TLS_SECTION = { address: "127.0.0.1", "tls-port": "0", "tls-cert": keyPath("p256.pem") };

/** A server with one worker, and p256.pem for its certificate unless the configuration says otherwise. */
export async function startTls(t: TestContext, options: LiveOptions = {}): Promise<TlsServer> {
  const configuration = { ...TLS_SECTION, processes: "1", ...options.configuration };
  const server = await LiveServer.start(t, { ...options, configuration });
  const [, port] = await server.command.printed(/https:\/\/[^/ ]+:(\d+)\//);
  return { server, tlsPort: Number(port) };
}

export class TlsClient {
  readonly socket: TLSSocket;
  #session: Buffer | undefined;
  /** What has arrived: joined only when it is looked at, which matters for a large body in small records. */
  #pieces: Buffer[] = [];
  #length = 0;
  #ending: Error | "end" | undefined;
  #look: () => void = () => undefined;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("session", (session) => {
      this.#session = session;
    });
    socket.on("data", (chunk: Buffer) => {
      this.#pieces.push(chunk);
      this.#length += chunk.length;
      this.#look();
    });
    socket.on("end", () => this.#end("end"));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("closed without an end")));
  }

  /** @throws what ends the handshake: the server's alert has a code such as `ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION` */
  static async connect(port: number, options: TlsOptions = {}): Promise<TlsClient> {
    const { servername, version, alpn, session, certificate } = options;
    const socket = connect({
      host: "127.0.0.1",
      port,
      ca: readKey("ca.pem"),
      // What is wrong with a certificate is for a test to say.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(servername === undefined ? {} : { servername }),
      // OpenSSL offers what is older only to those who insist.
      ...(version === undefined ? {} : { minVersion: version, maxVersion: version, ciphers: "DEFAULT:@SECLEVEL=0" }),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
      ...(session === undefined ? {} : { session }),
      ...(certificate === undefined ? {} : { cert: readKey(certificate), key: readKey(certificate) }),
    });
    const client = new TlsClient(socket);
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(PATIENCE_MS) });
    return client;
  }

  get agreed(): Agreed {
    const { socket } = this;
    return {
      name: socket.getPeerX509Certificate()?.subject.replace("CN=", ""),
      isTrusted: socket.authorized,
      version: socket.getProtocol(),
      alpn: socket.alpnProtocol,
      isResumed: socket.isSessionReused(),
    };
  }

  get session(): Buffer | undefined {
    return this.#session;
  }

  /** @param requests  heads, each with the empty line at its end, and bodies */
  send(requests: string): void {
    this.socket.write(requests);
  }

  /** The next answer, whose length its head tells. @throws when it does not come whole */
  async readReply(): Promise<Reply> {
    const end = await this.#wait("a head", () => {
      const at = this.#arrived.indexOf("\r\n\r\n");
      return at < 0 ? undefined : at + 4;
    });
    const [statusLine = "", ...lines] = this.#arrived.toString("latin1", 0, end).trimEnd().split("\r\n");
    const fields = new Map(
      lines.map((line): [string, string] => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    const length = status === 304 ? 0 : Number(fields.get("content-length") ?? Number.NaN);
    if (Number.isNaN(length)) throw new Error(`no length: ${statusLine}`);
    await this.#wait("a body", () => this.#length >= end + length || undefined);
    const body = this.#arrived.subarray(end, end + length);
    this.#pieces = [this.#arrived.subarray(end + length)];
    this.#length -= end + length;
    return { status, fields, body };
  }

  /** GET for localhost. @param fields  lines, each with its end */
  ask(path: string, fields = ""): Promise<Reply> {
    this.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`);
    return this.readReply();
  }

  /** Until the server has ended the connection. @throws when bytes come before that, or it ends with an error */
  async ended(): Promise<void> {
    await this.#wait("the end", () => (this.#ending === "end" || this.#length > 0 ? true : undefined));
    if (this.#length > 0) throw new Error(`${this.#length} bytes that nobody asked for`);
  }

  leave(): void {
    this.socket.destroy();
  }

  get #arrived(): Buffer {
    const [first = Buffer.alloc(0)] = this.#pieces;
    const joined = this.#pieces.length < 2 ? first : Buffer.concat(this.#pieces);
    this.#pieces = [joined];
    return joined;
  }

  #end(how: Error | "end"): void {
    this.#ending ??= how;
    this.#look();
  }

  #wait<Found>(what: string, found: () => Found | undefined): Promise<Found> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(late);
        this.#look = () => undefined;
      };
      const late = setTimeout(() => {
        settle();
        reject(new Error(`waited ${PATIENCE_MS} ms for ${what}`));
      }, PATIENCE_MS);
      this.#look = () => {
        const it = found();
        if (it === undefined && this.#ending === undefined) return;
        settle();
        if (it !== undefined) resolve(it);
        else reject(this.#ending === "end" ? new Error(`the server ended instead of ${what}`) : this.#ending);
      };
      this.#look();
    });
  }
}

/** One request on a connection of its own. @throws when it is not answered completely, or the end is none */
export async function visit(port: number, options: TlsOptions = {}, path = "/small.txt"): Promise<Visit> {
  const client = await TlsClient.connect(port, options);
  try {
    const { agreed } = client;
    const reply = await client.ask(path, "Connection: close\r\n");
    await client.ended();
    return { ...agreed, ...reply, session: client.session };
  } finally {
    client.leave();
  }
}

/** Why a visit fails: the code of the error, or what it says. With TLS 1.3 that may show after the handshake. */
export async function failure(port: number, options: TlsOptions = {}): Promise<string> {
  try {
    const { status, name } = await visit(port, options);
    return `${name} answers ${status}`;
  } catch (error) {
    return errorCode(error) ?? String(error);
  }
}

/** What a client says first, as bytes. */
export async function clientHello(t: TestContext): Promise<Buffer> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => listener.close());
  const client = connect({ host: "127.0.0.1", port: (listener.address() as AddressInfo).port });
  client.on("error", () => undefined);
  const [socket] = await once(listener, "connection");
  const [hello] = await once(socket, "data");
  socket.destroy();
  client.destroy();
  return hello as Buffer;
}

/** A TLS record (RFC 8446 §5.1) without its content, which is sealed. */
export interface SealedRecord {
  readonly type: number;
  readonly length: number;
}

export interface Tap {
  readonly port: number;
  /** Those of the server until now; without the last one, when it is not complete. */
  records(): readonly SealedRecord[];
}

const RECORD_HEAD_BYTES = 5;

/** Stands between a client and the server's port, and counts the records that come from the server. */
export async function tap(t: TestContext, tlsPort: number): Promise<Tap> {
  const records: SealedRecord[] = [];
  let pending: Buffer = Buffer.alloc(0);
  const count = (chunk: Buffer): void => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= RECORD_HEAD_BYTES) {
      const [type, length] = [pending.readUInt8(0), pending.readUInt16BE(3)];
      if (pending.length < RECORD_HEAD_BYTES + length) return;
      records.push({ type, length });
      pending = pending.subarray(RECORD_HEAD_BYTES + length);
    }
  };
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const server = connectTcp({ host: "127.0.0.1", port: tlsPort, allowHalfOpen: true });
    server.on("data", count);
    client.on("error", () => server.destroy()).pipe(server);
    server.on("error", () => client.destroy()).pipe(client);
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => listener.close());
  return { port: (listener.address() as AddressInfo).port, records: () => records };
}
