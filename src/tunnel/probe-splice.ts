/**
 * The self-test of splices on handles: Node's inside may change with any version, so before clients are served that way this
 * process talks to itself through one, TLS on one side and a plain socket on the other, and everything clients will need must
 * work.
 *
 *     some bytes each way; more than the kernel takes, to readers that wait; half-close, the other end
 *
 * Any doubt means that streams serve. The test takes some milliseconds and may be made in a sandbox: on Linux it uses Unix
 * sockets that have no file, and TLS has a key that both sides know instead of a certificate.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls";
import { bytes, milliseconds } from "../base/units.ts";
import { findNodeInternals } from "../transport/node-internals.ts";
import { Splice, type SpliceEnding } from "./splice.ts";
import { takeableHandle } from "./splice-handle-end.ts";
import { SpliceKit } from "./splice-kit.ts";

export type SpliceChoice =
  | { readonly kind: "handle"; readonly kit: SpliceKit }
  /** `why`: what speaks against handles. */
  | { readonly kind: "stream"; readonly why: string };

/** Much more than it takes: a machine may be very busy when a server starts. */
const PATIENCE_MS = 5000;
const PIECE = Buffer.alloc(256 * 1024, "0123456789abcdef-");
const OTHER_PIECE = "#".repeat(64 * 1024);
/** More than any kernel holds for one socket. */
const MAX_PIECES = 1024;
const MAX_UNSENT = bytes(64 * 1024);
const KEY = { psk: Buffer.alloc(32, "self-test"), identity: "self-test" };
const KEY_CIPHERS = { ciphers: "PSK-AES128-GCM-SHA256", maxVersion: "TLSv1.2" } as const;

/** For the log: how tunnels are served, and why not the fast way. */
export function describeSplices(choice: SpliceChoice): string {
  if (choice.kind === "handle") return "tunnels are served on libuv's handles";
  return `tunnels are served on ordinary sockets, which is slower: ${choice.why}`;
}

export async function probeSplice(): Promise<SpliceChoice> {
  const found = findNodeInternals();
  if (found.kind === "missing") return { kind: "stream", why: found.why };
  const kit = new SpliceKit(found.internals);
  const fault = await testOnce(kit);
  return fault === undefined ? { kind: "handle", kit } : { kind: "stream", why: `the self-test failed: ${fault}` };
}

/** @returns what is wrong; undefined when nothing is */
async function testOnce(kit: SpliceKit): Promise<string | undefined> {
  const stage = new Stage();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, `not finished after ${PATIENCE_MS / 1000} s`);
  });
  try {
    return await Promise.race([converse(kit, stage), stage.broken, late]);
  } catch (error) {
    return String(error);
  } finally {
    clearTimeout(timer);
    stage.close();
  }
}

async function converse(kit: SpliceKit, stage: Stage): Promise<string | undefined> {
  const [front, clientSocket] = await stage.openTls();
  const [back, serverSocket] = await stage.openPlain();
  if (takeableHandle(front) === undefined) return "TLS has handles with other functions";
  if (takeableHandle(back) === undefined) return "accepted sockets have handles with other functions";
  const splice = stage.join(front, back, kit);

  const [client, server] = [new Peer(clientSocket), new Peer(serverSocket)];
  for (const text of ["question", "and another"]) {
    client.write(text);
    if ((await server.take(text.length)) !== text) return "the back gets other bytes than were sent";
    server.write(text);
    if ((await client.take(text.length)) !== text) return "the front gets other bytes than were sent";
  }

  for (const [sender, reader] of [
    [client, server],
    [server, client],
  ] as const) {
    reader.pause();
    let pieces = 0;
    // Nobody reads, so the kernel's buffers fill, and then ours.
    for (; splice.unsent === 0; await new Promise(setImmediate)) {
      if (pieces === MAX_PIECES) return "no write has to wait";
      pieces += 1;
      sender.write(PIECE);
    }
    // The other way goes on, and must not touch what waits.
    reader.write(OTHER_PIECE);
    if ((await sender.take(OTHER_PIECE.length)) !== OTHER_PIECE) return "one way is held up by the other";
    reader.resume();
    const expected = Buffer.alloc(pieces * PIECE.length, PIECE).toString("latin1");
    if ((await reader.take(expected.length)) !== expected) return "other bytes are written than were given";
  }

  client.end("last");
  if ((await server.takeToEnd()) !== "last") return "what comes before an end is lost";
  if (stage.ending !== undefined) return "one end is taken for both";
  server.end("words");
  if ((await client.takeToEnd()) !== "words") return "what comes after the other end is lost";
  const { kind } = await stage.gone;
  return kind === "ended" ? undefined : "two ends are taken for a loss";
}

/** Whom the splice serves. */
class Peer {
  readonly #socket: Socket;
  readonly #end: Promise<unknown>;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#end = new Promise((resolve) => socket.on("end", resolve));
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
    });
  }

  write(content: string | Buffer): void {
    this.#socket.write(content);
  }

  end(content: string): void {
    this.#socket.end(content);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Waits for that many bytes; more that have come are given too. */
  async take(length: number): Promise<string> {
    while (this.#length < length) await once(this.#socket, "data");
    const taken = Buffer.concat(this.#chunks).toString("latin1");
    this.#chunks = [];
    this.#length = 0;
    return taken;
  }

  async takeToEnd(): Promise<string> {
    await this.#end;
    return this.take(0);
  }
}

/** Opens what the test needs, and closes it. */
class Stage {
  readonly #servers: Server[] = [];
  readonly #sockets: Socket[] = [];
  #splice: Splice | undefined;
  ending: SpliceEnding | undefined;
  #break: (why: string) => void = () => undefined;
  readonly broken = new Promise<string>((resolve) => {
    this.#break = resolve;
  });
  #tellGone: (ending: SpliceEnding) => void = () => undefined;
  readonly gone = new Promise<SpliceEnding>((resolve) => {
    this.#tellGone = resolve;
  });

  /** @returns the accepted socket and the one that has connected */
  openPlain(): Promise<readonly [Socket, Socket]> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    return this.#open(server, "connection", (address) => connect({ ...address, allowHalfOpen: true }));
  }

  openTls(): Promise<readonly [Socket, Socket]> {
    const server = createTlsServer({ ...KEY_CIPHERS, allowHalfOpen: true, pskCallback: () => KEY.psk });
    return this.#open(server, "secureConnection", (address) =>
      tlsConnect({
        ...KEY_CIPHERS,
        socket: this.#keep(connect({ ...address, allowHalfOpen: true })),
        pskCallback: () => KEY,
        checkServerIdentity: () => undefined,
      }),
    );
  }

  join(front: Socket, back: Socket, kit: SpliceKit): Splice {
    const onGone = (_splice: Splice, ending: SpliceEnding): void => {
      this.ending = ending;
      this.#tellGone(ending);
    };
    const context = { maxUnsent: MAX_UNSENT, idleTimeout: milliseconds(Number.POSITIVE_INFINITY), kit, onGone };
    this.#splice = new Splice(front, back, context, milliseconds(0));
    return this.#splice;
  }

  close(): void {
    this.#splice?.destroy();
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
  }

  async #open(
    server: Server,
    event: "connection" | "secureConnection",
    open: (address: { path: string } | { host: string; port: number }) => Socket,
  ): Promise<readonly [Socket, Socket]> {
    this.#servers.push(server);
    server.on("tlsClientError", (error) => this.#break(String(error)));
    const isLinux = process.platform === "linux";
    server.listen(isLinux ? { path: `\0comanche-${process.pid}-${Math.random()}` } : { host: "127.0.0.1", port: 0 });
    await once(server, "listening");
    const address = server.address();
    if (address === null) throw new Error("a server that listens has no address");
    const accepted = once(server, event) as Promise<[Socket]>;
    const connected = this.#keep(
      open(typeof address === "string" ? { path: address } : { host: address.address, port: address.port }),
    );
    const [socket] = await accepted;
    return [this.#keep(socket), connected];
  }

  #keep(socket: Socket): Socket {
    this.#sockets.push(socket);
    return socket.on("error", (error) => this.#break(String(error)));
  }
}
