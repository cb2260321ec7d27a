/**
 * A Transport whose client is the test: it sends, reads as much as it likes, closes its side or vanishes.
 *
 * It is as strict as the real ones may be: bytes that wait are kept by reference and copied only when the client takes
 * them, so a buffer that is used again too early is seen; a write while others wait, or after `end`, throws; and events
 * come in a turn of their own, never inside a call.
 */
import type { PeerAddress } from "../../src/base/endpoint.ts";
import { type Bytes, bytes } from "../../src/base/units.ts";
import type { Transport, TransportEvents } from "../../src/transport/transport.ts";

export class FakeTransport implements Transport {
  peer: PeerAddress = { address: "192.0.2.7", port: 54321 };
  /** How many bytes the kernel still takes from us before writes have to wait. */
  room = Number.POSITIVE_INFINITY;
  /** The client has reset the connection, which the next write finds out. */
  isReset = false;
  /** `destroy` reports `onClosed` before it returns. */
  closesAtOnce = false;
  #events: TransportEvents | undefined;
  #taken: Buffer[] = [];
  #waiting: Uint8Array[] = [];
  #inbox: Buffer[] = [];
  #isPaused = false;
  #hasEnded = false;
  #clientHasEnded = false;
  #endIsDelivered = false;
  #isDestroyed = false;
  #wasReset = false;
  #isClosed = false;
  #writes = 0;

  listen(events: TransportEvents): void {
    this.#events = events;
  }

  // ---- what the test looks at

  /** Everything the client has got, one character a byte; looking at it takes it away. */
  take(): string {
    const text = Buffer.concat(this.#taken).toString("latin1");
    this.#taken = [];
    return text;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Our side is closed in good order: the client has been told that nothing more will come. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** We threw away what the client had not taken. */
  get wasReset(): boolean {
    return this.#wasReset;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How many times `write` was called. */
  get writes(): number {
    return this.#writes;
  }

  /** Bytes the client has sent and we have not read. */
  get unread(): number {
    return this.#inbox.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  // ---- what the client does

  /** Sends; the bytes arrive at once unless reading is paused. */
  send(data: string | Uint8Array): void {
    this.#inbox.push(typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data));
    this.#deliver();
  }

  halfClose(): void {
    this.#clientHasEnded = true;
    this.#deliver();
  }

  /** The connection is torn down. */
  vanish(): void {
    this.#close();
  }

  /** Takes some of what waits, and whatever more has room then. */
  read(count = Number.POSITIVE_INFINITY): void {
    this.room = count;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const chunk of waiting) this.#accept(chunk);
    if (waiting.length > 0 && this.#waiting.length === 0) this.#events?.onDrained();
  }

  // ---- Transport

  get unsent(): Bytes {
    return bytes(this.#waiting.reduce((sum, chunk) => sum + chunk.length, 0));
  }

  write(chunk: Uint8Array, second?: Uint8Array): boolean {
    this.#writes += 1;
    if (this.#hasEnded) throw new Error("a write after end");
    if (this.#waiting.length > 0) throw new Error("a write while an earlier one waits");
    if (this.isReset) this.destroy();
    if (this.#isDestroyed || this.#isClosed) return false;
    this.#accept(chunk);
    if (second !== undefined) this.#accept(second);
    return this.#waiting.length === 0;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    setImmediate(() => this.#deliver());
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#clientHasEnded) setImmediate(() => this.#close());
  }

  finish(): void {
    if (this.#waiting.length > 0) this.end();
    else this.destroy();
  }

  destroy(): void {
    this.#isDestroyed = true;
    if (this.closesAtOnce) this.#close();
    else setImmediate(() => this.#close());
  }

  reset(): void {
    this.#wasReset = true;
    this.destroy();
  }

  #accept(chunk: Uint8Array): void {
    const fits = this.#waiting.length > 0 ? 0 : Math.min(this.room, chunk.length);
    this.room -= fits;
    if (fits > 0) this.#taken.push(Buffer.from(chunk.subarray(0, fits)));
    if (fits < chunk.length) this.#waiting.push(chunk.subarray(fits));
  }

  #deliver(): void {
    while (this.#inbox.length > 0 && !this.#isPaused && !this.#isClosed) {
      const chunk = this.#inbox.shift();
      if (chunk === undefined) return;
      this.#events?.onBytes(chunk);
      // What a transport reads into is its own: nobody may rely on it afterwards.
      chunk.fill(0x58);
    }
    if (this.#inbox.length > 0 || this.#isPaused || this.#isClosed || !this.#clientHasEnded) return;
    if (this.#hasEnded) this.#close();
    else if (!this.#endIsDelivered) {
      this.#endIsDelivered = true;
      this.#events?.onEnd();
    }
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = [];
    this.#events?.onClosed(this.#hasEnded && this.#clientHasEnded);
  }
}
