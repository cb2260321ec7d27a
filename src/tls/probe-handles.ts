/**
 * The self-test of transports on handles. Node's internals may change with any version. So this process first talks to
 * itself, in plain and over TLS, and everything that clients need must work:
 *
 *     read; write one piece and two; write more than the kernel takes, drain; half-close, our end, close
 *
 * If anything fails, ordinary sockets serve. The test takes some milliseconds and works in a sandbox. On Linux it uses
 * Unix sockets without a file, since a confined worker must not bind a port. TLS works without certificates.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls, createSecureContext } from "node:tls";
import { milliseconds } from "../base/units.ts";
import { WritePool } from "../transport/handle-pool.ts";
import { HandleTransport } from "../transport/handle-transport.ts";
import { findNodeInternals, isStreamHandle, takeHandles } from "../transport/node-internals.ts";
import { openTransport } from "../transport/opening.ts";
import type { AcceptedTransport, TransportEvents } from "../transport/transport.ts";
import type { TransportChoice } from "../transport/transport-choice.ts";
import { beginOnHandle, type HandshakeTerms } from "./handle-handshakes.ts";
import { decideTlsOpening } from "./tls-opening.ts";

/** Long, because a machine that is busy at boot must not lose the fast transport for the whole run. */
const PROBE_TIMEOUT_MS = 20_000;
const QUESTION = "question";
const ANSWERS = ["one", "two", "three"].map((text) => Buffer.from(text));
/** No log ever names the client of the self-test. */
const NOBODY = { address: "unix", port: 0 } as const;
const PIECE_SIZE = 256 * 1024;
/** More than any kernel holds for one socket. */
const MAX_PIECES = 1024;

/** Needs no certificate. */
const ANONYMOUS = { ciphers: "AECDH-AES128-SHA:@SECLEVEL=0", maxVersion: "TLSv1.2" } as const;

export async function probeHandles(): Promise<TransportChoice> {
  const found = findNodeInternals();
  if (found.kind === "missing") return { kind: "socket", why: found.why };
  const pool = new WritePool(found.internals);
  const fault = (await testOnce(pool, "plain")) ?? (await testOnce(pool, "tls"));
  return fault === undefined ? { kind: "handle", pool } : { kind: "socket", why: `the self-test failed: ${fault}` };
}

/** @returns what is wrong; undefined if nothing is */
async function testOnce(pool: WritePool, layer: "plain" | "tls"): Promise<string | undefined> {
  const server = createServer();
  const watch = new Watch();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, PROBE_TIMEOUT_MS, `not finished after ${PROBE_TIMEOUT_MS / 1000} s`);
  });
  try {
    return await Promise.race([converse(server, pool, watch, layer), watch.broken, late]);
  } catch (error) {
    return String(error);
  } finally {
    clearTimeout(timer);
    server.close();
    watch.destroyAll();
  }
}

async function converse(
  server: Server,
  pool: WritePool,
  watch: Watch,
  layer: "plain" | "tls",
): Promise<string | undefined> {
  const socket = await connectTo(server, watch);
  const handle = await watch.accepted;
  if (!isStreamHandle(handle)) return "accepted handles have other functions";
  const plain = new HandleTransport(handle, pool, NOBODY);
  watch.ends.push(plain);
  const isTls = layer === "tls";
  const client = watch.receiveOn(isTls ? connectTls({ ...ANONYMOUS, socket, rejectUnauthorized: false }) : socket);
  const transport = isTls ? await shakeHands(plain, pool, watch) : plain;
  transport.start(watch, (fault) => watch.break(String(fault)));

  client.write(QUESTION);
  await watch.until(() => watch.received.length >= QUESTION.length);
  if (watch.received !== QUESTION) return "other bytes are read than were sent";

  const [one, two, three] = ANSWERS as [Buffer, Buffer, Buffer];
  if (!transport.write(one)) return "a small write is not taken at once";
  const isTaken = transport.write(two, three);
  if (!isTaken && !isTls) return "a small write is not taken at once";
  if (!isTaken) await watch.untilDrained();
  const piece = Buffer.alloc(PIECE_SIZE, "0123456789abcdef");
  let pieces = 1;
  while (transport.write(piece)) {
    pieces += 1;
    if (pieces > MAX_PIECES) return "no write has to wait";
  }
  if (transport.unsent === 0) return "what waits to be written is not told";
  await watch.untilDrained();
  const expected = Buffer.concat([...ANSWERS, ...Array<Buffer>(pieces).fill(piece)]);
  while (watch.length < expected.length) await once(client, "data");
  if (!Buffer.concat(watch.chunks).equals(expected)) return "other bytes are written than were given";

  client.end();
  await watch.until(() => watch.hasEnded);
  const clientEnd = once(client, "end");
  transport.end();
  await Promise.all([clientEnd, watch.until(() => watch.isClosed)]);
  return undefined;
}

async function connectTo(server: Server, watch: Watch): Promise<Socket> {
  const isLinux = process.platform === "linux";
  server.listen(isLinux ? { path: `\0comanche-${process.pid}-${Math.random()}` } : { host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  if (!takeHandles(server, (handle) => watch.accept(handle))) throw new Error("accepted handles cannot be had");
  const address = server.address();
  if (address === null) throw new Error("a server that listens has no address");
  const target = typeof address === "string" ? { path: address } : { host: address.address, port: address.port };
  const client = connect({ ...target, allowHalfOpen: true });
  watch.ends.push(client);
  return client.on("error", (error) => watch.break(String(error)));
}

function shakeHands(plain: HandleTransport, pool: WritePool, watch: Watch): Promise<AcceptedTransport> {
  const terms: HandshakeTerms = {
    context: createSecureContext(ANONYMOUS).context,
    staple: undefined,
    verification: "none",
    protocols: new Uint8Array(0),
    timeout: milliseconds(PROBE_TIMEOUT_MS),
  };
  return new Promise((resolve, reject) => {
    const onFailed = (why: string): void => reject(new Error(`TLS: ${why}`));
    openTransport(plain, decideTlsOpening, terms.timeout, {
      onOpen: (_opening, _header, hello) => {
        const carrier = plain.detach();
        if (carrier.kind !== "handle") return;
        beginOnHandle(carrier.handle, terms, pool, hello, {
          onSecure: (_session, makeTransport) => {
            const secure = makeTransport(plain.peer);
            watch.ends.push(secure);
            resolve(secure);
          },
          onFailed,
        });
      },
      onRefused: onFailed,
      onLeft: () => onFailed("the client has disconnected"),
      onFault: reject,
    });
  });
}

/** Records what has happened at both ends. */
class Watch implements TransportEvents {
  readonly ends: { destroy(): void }[] = [];
  received = "";
  isDrained = false;
  hasEnded = false;
  isClosed = false;
  /** What the client has received. */
  readonly chunks: Buffer[] = [];
  length = 0;
  accept: (handle: object) => void = () => undefined;
  readonly accepted = new Promise<object>((resolve) => {
    this.accept = resolve;
  });
  break: (why: string) => void = () => undefined;
  readonly broken = new Promise<string>((resolve) => {
    this.break = resolve;
  });
  #wake: () => void = () => undefined;

  onBytes(chunk: Buffer): void {
    this.received += chunk.toString("latin1");
    this.#wake();
  }

  onEnd(): void {
    this.hasEnded = true;
    this.#wake();
  }

  onDrained(): void {
    this.isDrained = true;
    this.#wake();
  }

  onClosed(): void {
    this.isClosed = true;
    this.#wake();
  }

  /** Records what this client receives. */
  receiveOn<Client extends Socket>(client: Client): Client {
    this.ends.push(client);
    client.on("error", (error) => this.break(String(error)));
    client.on("data", (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.length += chunk.length;
    });
    return client;
  }

  async untilDrained(): Promise<void> {
    await this.until(() => this.isDrained);
    this.isDrained = false;
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  destroyAll(): void {
    for (const end of this.ends) end.destroy();
  }
}
