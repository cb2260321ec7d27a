/**
 * The self-test of the handle transport: Node's inside may change with any version, so before clients are served that way
 * this process talks to itself, and everything clients will need must work.
 *
 *     read; write at once, one piece and two; write more than the kernel takes, drain; half-close, our end, close
 *
 * Any doubt means that ordinary sockets serve. The test takes some milliseconds and may be made in a sandbox: on Linux it
 * uses a Unix socket that has no file, since a confined worker must not bind a port.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { takeHandles } from "./accepted-handles.ts";
import { HandleKit, HandleTransport } from "./handle-transport.ts";
import { findStreamInternals, isStreamHandle } from "./stream-internals.ts";
import type { TransportEvents } from "./transport.ts";
import type { TransportChoice } from "./transport-choice.ts";

/** Much more than it takes: a machine may be very busy when a server starts. */
const PATIENCE_MS = 5000;
const QUESTION = "question";
const ANSWERS = ["one", "two", "three"].map((text) => Buffer.from(text));
const PIECE_SIZE = 256 * 1024;
/** More than any kernel holds for one socket. */
const MAX_PIECES = 1024;

export async function probeHandleTransport(): Promise<TransportChoice> {
  const found = findStreamInternals();
  if (found.kind === "missing") return { kind: "socket", why: found.why };
  const kit = new HandleKit(found.internals);
  const fault = await testOnce(kit);
  return fault === undefined ? { kind: "handle", kit } : { kind: "socket", why: `the self-test failed: ${fault}` };
}

/** @returns what is wrong; undefined when nothing is */
async function testOnce(kit: HandleKit): Promise<string | undefined> {
  const server = createServer();
  const watch = new Watch();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, `not finished after ${PATIENCE_MS / 1000} s`);
  });
  try {
    return await Promise.race([converse(server, kit, watch), watch.broken, late]);
  } catch (error) {
    return String(error);
  } finally {
    clearTimeout(timer);
    server.close();
    watch.destroyAll();
  }
}

async function converse(server: Server, kit: HandleKit, watch: Watch): Promise<string | undefined> {
  const client = await connectTo(server, watch);
  const handle = await watch.accepted;
  if (!isStreamHandle(handle)) return "accepted handles have other functions";
  const transport = new HandleTransport(handle, kit);
  watch.ends.push(transport);
  transport.start(watch, (fault) => watch.break(String(fault)));

  client.write(QUESTION);
  await watch.until(() => watch.received.length >= QUESTION.length);
  if (watch.received !== QUESTION) return "other bytes are read than were sent";

  const [one, two, three] = ANSWERS as [Buffer, Buffer, Buffer];
  if (!transport.write(one) || !transport.write(two, three)) return "a small write is not taken at once";
  const piece = Buffer.alloc(PIECE_SIZE, "0123456789abcdef");
  let pieces = 1;
  while (transport.write(piece)) {
    pieces += 1;
    if (pieces > MAX_PIECES) return "no write has to wait";
  }
  if (transport.unsent === 0) return "what waits to be written is not told";
  await watch.until(() => watch.isDrained);
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
  client.on("error", (error) => watch.break(String(error)));
  client.on("data", (chunk) => {
    watch.chunks.push(chunk);
    watch.length += chunk.length;
  });
  return client;
}

/** What has happened at both ends. */
class Watch implements TransportEvents {
  readonly ends: { destroy(): void }[] = [];
  received = "";
  isDrained = false;
  hasEnded = false;
  isClosed = false;
  /** What the client has got. */
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
