/** The body of one request, read on demand from the connection's waiting bytes (RFC 9112 §6, §7). */
import type { Bytes } from "../base/units.ts";
import { ChunkedDecoder } from "../http/chunked-decoder.ts";
import type { BodyEvent, BodyReader, Refusal } from "../http/exchange.ts";
import type { BodyFraming } from "../http/framing.ts";
import type { ByteQueue } from "./byte-queue.ts";

export type PresentFraming = Extract<BodyFraming, { kind: "length" | "chunked" }>;

type Progress =
  | { readonly kind: "length"; left: number }
  | { readonly kind: "chunked"; readonly decoder: ChunkedDecoder }
  | { readonly kind: "over"; readonly event: BodyEvent };

const END: BodyEvent = { kind: "end" };

export class RequestBody implements BodyReader {
  readonly length: Bytes | undefined;
  readonly #maxBody: Bytes;
  readonly #waiting: ByteQueue;
  readonly #onWanted: () => void;
  #progress: Progress;
  #reader: ((event: BodyEvent) => void) | undefined;
  #wasRead = false;
  #isInputOver = false;

  /**
   * @param waiting  received bytes; the body takes its own from the front and leaves the rest
   * @param onWanted  called when the reader must wait, so that the connection reads more
   */
  constructor(framing: PresentFraming, maxBody: Bytes, waiting: ByteQueue, onWanted: () => void) {
    this.#maxBody = maxBody;
    this.#waiting = waiting;
    this.#onWanted = onWanted;
    this.length = framing.kind === "length" ? framing.length : undefined;
    if (framing.kind === "chunked") this.#progress = { kind: "chunked", decoder: new ChunkedDecoder(maxBody) };
    else if (framing.length === 0) this.#progress = { kind: "over", event: END };
    else this.#progress = { kind: "length", left: framing.length };
  }

  /** Whether the last byte of the body was taken. */
  get isComplete(): boolean {
    return this.#progress.kind === "over" && this.#progress.event.kind === "end";
  }

  get isFailed(): boolean {
    return this.#progress.kind === "over" && this.#progress.event.kind === "failed";
  }

  get wasRead(): boolean {
    return this.#wasRead;
  }

  get isAwaited(): boolean {
    return this.#reader !== undefined;
  }

  read(): Promise<BodyEvent> {
    this.#wasRead = true;
    const event = this.#take();
    if (event !== undefined) return Promise.resolve(event);
    if (this.#isInputOver) return Promise.resolve(this.#breakOff(undefined));
    return new Promise((resolve) => {
      this.#reader = resolve;
      this.#onWanted();
    });
  }

  /** Gives new bytes to a waiting reader. */
  pump(): void {
    if (this.#reader === undefined) return;
    const event = this.#take();
    if (event !== undefined) this.#hand(event);
  }

  /** No more bytes will arrive. Waiting bytes can still be read; if the body is then incomplete, it fails there. */
  endInput(): void {
    this.#isInputOver = true;
    if (this.#reader !== undefined) this.fail(undefined);
  }

  /** The body stays incomplete: too slow (`refusal`), or the client has disconnected. */
  fail(refusal: Refusal | undefined): void {
    if (this.#progress.kind !== "over") this.#hand(this.#breakOff(refusal));
  }

  /** The fault in what has arrived of a body that nothing was read of; the bytes stay unread. */
  findFault(): Refusal | undefined {
    if (this.#progress.kind !== "chunked" || this.#wasRead) return undefined;
    const result = new ChunkedDecoder(this.#maxBody).push(this.#waiting.view, () => undefined);
    return result.kind === "reject" ? result.refusal : undefined;
  }

  /** Drops what has arrived. @returns how many bytes of content were dropped */
  drop(): number {
    let dropped = 0;
    for (;;) {
      const event = this.#take();
      if (event?.kind !== "chunk") return dropped;
      dropped += event.bytes.length;
    }
  }

  #breakOff(refusal: Refusal | undefined): BodyEvent {
    const event: BodyEvent = { kind: "failed", refusal };
    this.#progress = { kind: "over", event };
    return event;
  }

  #hand(event: BodyEvent): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(event);
  }

  /** The next event, or undefined if it has not arrived. */
  #take(): BodyEvent | undefined {
    const progress = this.#progress;
    if (progress.kind === "over") return progress.event;
    if (this.#waiting.length === 0) return undefined;
    return progress.kind === "length" ? this.#takeCounted(progress) : this.#takeChunked(progress.decoder);
  }

  #takeCounted(progress: { left: number }): BodyEvent {
    const chunk = this.#waiting.view.subarray(0, progress.left);
    this.#waiting.consume(chunk.length);
    progress.left -= chunk.length;
    if (progress.left === 0) this.#progress = { kind: "over", event: END };
    return { kind: "chunk", bytes: chunk };
  }

  #takeChunked(decoder: ChunkedDecoder): BodyEvent | undefined {
    const pieces: Uint8Array[] = [];
    const view = this.#waiting.view;
    const result = decoder.push(view, (piece) => pieces.push(piece));
    this.#waiting.consume(result.kind === "done" ? result.consumed : view.length);
    if (result.kind === "reject") {
      this.#progress = { kind: "over", event: { kind: "failed", refusal: result.refusal } };
      return this.#progress.event;
    }
    if (result.kind === "done") this.#progress = { kind: "over", event: END };
    if (pieces.length > 0) return { kind: "chunk", bytes: joined(pieces) };
    return result.kind === "done" ? END : undefined;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
}
