/**
 * A client that speaks bytes, not HTTP: what it sends is what is on the wire, and it tells how the server ended.
 *
 * Every wait is bounded: one that does not end fails with what had arrived until then.
 */
import { connect, type Socket } from "node:net";

/** How bytes are cut into writes: the server must not care. */
export type Pieces = "whole" | "bytewise" | "halves";

/** `reset`: the connection was torn down, and the kernel may have thrown away an answer that had arrived. */
type Ending = "none" | "end" | "reset";

const PATIENCE_MS = 60_000;

export class RawClient {
  readonly #socket: Socket;
  #arrived: Buffer[] = [];
  #length = 0;
  #ending: Ending = "none";
  #wake: () => void = () => {};
  #sending: Promise<void> = Promise.resolve();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => {
      this.#arrived.push(chunk);
      this.#length += chunk.length;
      this.#wake();
    });
    socket.on("end", () => this.#end("end"));
    socket.on("close", () => this.#end("reset"));
    // A failing write is no news: what the server answered before it closed is judged by the reader.
    socket.on("error", () => this.#end("reset"));
  }

  static connect(port: number, host = "127.0.0.1"): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** Whether the server has closed its side. What arrived before may still be unread. */
  get ended(): boolean {
    return this.#ending !== "none";
  }

  /** Sends after everything that was sent before; does not wait for it. */
  send(bytes: Uint8Array, pieces: Pieces = "whole"): void {
    this.#sending = this.#sending.then(async () => {
      for (const piece of cut(bytes, pieces)) await this.#write(piece);
    });
  }

  /** Says that nothing more will come; answers can still be read. */
  halfClose(): void {
    this.#sending = this.#sending.then(() => void this.#socket.end());
  }

  /** Leaves once everything is sent, without reading. */
  async leave(): Promise<void> {
    await this.#sending;
    this.#socket.destroy();
  }

  /** Leaves at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** A response head, with the empty line at its end. */
  readHead(): Promise<Buffer> {
    return this.#take("a response head", () => {
      const end = this.#joined().indexOf("\r\n\r\n");
      return end < 0 ? undefined : end + 4;
    });
  }

  readBytes(length: number): Promise<Buffer> {
    return this.#take(`${length} bytes of a body`, () => (this.#length >= length ? length : undefined));
  }

  /** What arrives until the server closes in good order; a reset fails. */
  async readToEnd(): Promise<Buffer> {
    const rest = await this.#take("the end of the connection", () =>
      this.#ending === "none" ? undefined : this.#length,
    );
    if (this.#ending === "reset" || (await this.#isDead())) {
      throw new Error(`the server reset the connection after ${JSON.stringify(latin1(rest))}`);
    }
    return rest;
  }

  /** A reset that comes together with the last bytes looks like an orderly end to a reader; a writer notices. */
  async #isDead(): Promise<boolean> {
    await this.#sending;
    if (this.#socket.writableEnded) return false;
    return new Promise((resolve) => this.#socket.write("\r\n", (error) => resolve(error instanceof Error)));
  }

  /** Joins what arrived only when it is read: a large body arrives in many pieces. */
  #joined(): Buffer {
    const bytes = this.#arrived.length === 1 ? this.#arrived[0] : undefined;
    if (bytes !== undefined) return bytes;
    const joined = Buffer.concat(this.#arrived, this.#length);
    this.#arrived = [joined];
    return joined;
  }

  #end(ending: Ending): void {
    if (this.#ending === "none") this.#ending = ending;
    this.#wake();
  }

  #write(piece: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed || this.#socket.writableEnded) resolve();
      else this.#socket.write(piece, () => resolve());
    });
  }

  /** Waits until `length` knows how much to take, and takes it off what arrived. */
  #take(what: string, length: () => number | undefined): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#wake = () => {};
      };
      const fail = (why: string): void => {
        settle();
        reject(new Error(`waiting for ${what}: ${why}; arrived: ${JSON.stringify(latin1(this.#joined()))}`));
      };
      const look = (): void => {
        const found = length();
        if (found === undefined) {
          if (this.#ending !== "none") fail(this.#ending === "end" ? "the server closed" : "the connection was reset");
          return;
        }
        settle();
        const bytes = this.#joined();
        this.#arrived = [bytes.subarray(found)];
        this.#length -= found;
        resolve(bytes.subarray(0, found));
      };
      const timer = setTimeout(() => fail(`nothing more for ${PATIENCE_MS} ms`), PATIENCE_MS);
      this.#wake = look;
      look();
    });
  }
}

function cut(bytes: Uint8Array, pieces: Pieces): readonly Uint8Array[] {
  switch (pieces) {
    case "whole":
      return [bytes];
    case "halves":
      return [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)];
    case "bytewise":
      return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  }
}

/** Bytes as text, one character a byte. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
