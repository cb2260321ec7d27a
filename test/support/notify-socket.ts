/**
 * A Unix datagram socket that collects what others send to it: the ear of a service manager or of a syslog daemon.
 * Node has no such sockets, so this takes koffi, as the server does.
 */
import { closeSync, rmSync } from "node:fs";

export interface Datagram {
  readonly text: string;
  /** Who sent it, by the word of the kernel. */
  readonly pid: number;
}

export type NotifySocketResult =
  | { readonly kind: "open"; readonly socket: NotifySocket }
  /** `why`: the reason for a skip. */
  | { readonly kind: "missing"; readonly why: string };

interface NativeFunction {
  (...args: unknown[]): number;
  /** Runs in a thread of its own. */
  async(...args: unknown[]): void;
}

/** The part of koffi that is used. */
interface Koffi {
  load(path: string | null): { func(prototype: string): NativeFunction };
  address(buffer: Uint8Array): bigint;
  errno(): number;
}

// Not written as a literal: the tests are compiled on machines that left optional dependencies out.
const PACKAGE: string = "koffi";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_PASSCRED = 16;
const MAX_DATAGRAM_BYTES = 65_536;
const PATIENCE_MS = 60_000;

let bound: Promise<Calls | string> | undefined;

/** @param address  a path where nothing is yet, or an abstract name that begins with `@` */
export async function openNotifySocket(address: string): Promise<NotifySocketResult> {
  bound ??= bindCalls();
  const calls = await bound;
  return typeof calls === "string"
    ? { kind: "missing", why: calls }
    : { kind: "open", socket: new NotifySocket(calls, address) };
}

interface Waiter {
  readonly isWanted: (datagram: Datagram) => boolean;
  readonly take: (datagram: Datagram) => void;
}

export class NotifySocket {
  readonly address: string;
  readonly #calls: Calls;
  readonly #descriptor: number;
  readonly #received: Datagram[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #ended: Promise<void>;
  #isClosing = false;

  constructor(calls: Calls, address: string) {
    this.address = address;
    this.#calls = calls;
    this.#descriptor = calls.open(address);
    this.#ended = this.#collect();
  }

  /** Everything so far, in its order. */
  get received(): readonly Datagram[] {
    return this.#received;
  }

  /** The first datagram of that kind, which may have come already; `after` leaves out that many that came before. */
  async waitFor(isWanted: (text: string) => boolean, after = 0): Promise<Datagram> {
    const found = this.#received.slice(after).find(({ text }) => isWanted(text));
    if (found !== undefined) return found;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        isWanted: ({ text }) => isWanted(text),
        take: (datagram) => {
          clearTimeout(patience);
          resolve(datagram);
        },
      };
      const patience = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new Error(`no such datagram in ${PATIENCE_MS} ms, only ${JSON.stringify(this.#received)}`));
      }, PATIENCE_MS);
      this.#waiters.add(waiter);
    });
  }

  /** Nothing can be sent to it afterwards, and its path is gone. */
  async close(): Promise<void> {
    if (this.#isClosing) return this.#ended;
    this.#isClosing = true;
    // The thread that waits in recvmsg(2) hears of nothing else.
    this.#calls.send(this.#descriptor, this.address);
    await this.#ended;
    closeSync(this.#descriptor);
    if (this.address.startsWith("/")) rmSync(this.address, { force: true });
  }

  async #collect(): Promise<void> {
    for (;;) {
      const datagram = await this.#calls.receive(this.#descriptor);
      if (datagram === undefined || (this.#isClosing && datagram.text === "")) return;
      this.#received.push(datagram);
      for (const waiter of this.#waiters) {
        if (!waiter.isWanted(datagram)) continue;
        this.#waiters.delete(waiter);
        waiter.take(datagram);
      }
    }
  }
}

interface Calls {
  open(address: string): number;
  /** An empty datagram. */
  send(descriptor: number, address: string): void;
  receive(descriptor: number): Promise<Datagram | undefined>;
}

/** @returns a text where there is no koffi: why */
async function bindCalls(): Promise<Calls | string> {
  if (process.platform !== "linux") return `datagram sockets by koffi: not on ${process.platform}`;
  try {
    const module: { default: Koffi } = await import(PACKAGE);
    return makeCalls(module.default);
  } catch (error) {
    return `koffi cannot be loaded: ${String(error)}`;
  }
}

function makeCalls(koffi: Koffi): Calls {
  const library = koffi.load(null);
  const socket = library.func("int socket(int domain, int type, int protocol)");
  const bind = library.func("int bind(int fd, const void *address, uint32_t size)");
  const setsockopt = library.func("int setsockopt(int fd, int level, int name, const void *value, uint32_t size)");
  const recvmsg = library.func("long recvmsg(int fd, void *message, int flags)");
  const sendto = library.func(
    "long sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t size)",
  );
  const check = (call: string, result: number): number => {
    if (result === -1) throw new Error(`${call} failed with error ${koffi.errno()}`);
    return result;
  };
  return {
    open(address) {
      const descriptor = check("socket", socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      const name = socketName(address);
      check("bind", bind(descriptor, name, name.length));
      const one = Buffer.from([1, 0, 0, 0]);
      check("setsockopt", setsockopt(descriptor, SOL_SOCKET, SO_PASSCRED, one, one.length));
      return descriptor;
    },
    send(descriptor, address) {
      const name = socketName(address);
      check("sendto", sendto(descriptor, Buffer.alloc(1), 0, 0, name, name.length));
    },
    receive(descriptor) {
      const memory = planReceive(koffi.address);
      return new Promise((resolve) => {
        recvmsg.async(descriptor, memory, 0, (_error: unknown, size: number | bigint) => {
          const length = Number(size);
          if (length < 0) return resolve(undefined);
          const text = memory.toString("utf8", TEXT_AT, TEXT_AT + length);
          resolve({ text, pid: memory.readInt32LE(CONTROL_AT + CONTROL_HEADER_BYTES) });
        });
      });
    },
  };
}

// Where what recvmsg(2) needs stands in one piece of memory, as 64-bit machines have it: struct msghdr, its one struct
// iovec, room for a control message with credentials (pid, uid, gid), the text.
const PIECES_AT = 56;
const CONTROL_AT = 72;
const CONTROL_HEADER_BYTES = 16;
const CONTROL_BYTES = 64;
const TEXT_AT = CONTROL_AT + CONTROL_BYTES;

function planReceive(address: Koffi["address"]): Buffer {
  const memory = Buffer.alloc(TEXT_AT + MAX_DATAGRAM_BYTES);
  const base = address(memory);
  memory.writeBigUInt64LE(base + BigInt(PIECES_AT), 16);
  memory.writeBigUInt64LE(1n, 24);
  memory.writeBigUInt64LE(base + BigInt(CONTROL_AT), 32);
  memory.writeBigUInt64LE(BigInt(CONTROL_BYTES), 40);
  memory.writeBigUInt64LE(base + BigInt(TEXT_AT), PIECES_AT);
  memory.writeBigUInt64LE(BigInt(MAX_DATAGRAM_BYTES), PIECES_AT + 8);
  return memory;
}

/** struct sockaddr_un. */
function socketName(address: string): Buffer {
  const path = address.startsWith("@") ? `\0${address.slice(1)}` : `${address}\0`;
  return Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(path)]);
}
