/** Writes a `ResponsePlan` to a transport: a small response in one write, a file slice by slice. */
import type { Clock } from "../base/clock.ts";
import { unreachable } from "../base/errors.ts";
import { type Bytes, bytes, type Milliseconds, milliseconds, type UnixSeconds } from "../base/units.ts";
import type { Sending, SendOutcome } from "../http/exchange.ts";
import type { Persistence } from "../http/framing.ts";
import { CLOSING_LINES, formatResponseHead, keepingLines, type MessageMemo } from "../http/response-head.ts";
import type { ResponsePlan } from "../http/response-plan.ts";
import type { Transport } from "../transport/transport.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { type FileBody, type SendChunks, transferFile } from "./file-transfer.ts";

/** Up to this size head and body are joined in one buffer; beyond it a copy costs more than writing two buffers. */
const MAX_JOINED = 64 * 1024;

/** Whether the connection is still open; no promise if the kernel has taken everything at once. */
type Written = boolean | Promise<boolean>;

/** For messages that are not kept, one at a time. */
let scratch = Buffer.allocUnsafeSlow(MAX_JOINED);

export interface SendLimits {
  /** Without a byte taken by the client. */
  readonly sendTimeout: Milliseconds;
  /** Between two requests. */
  readonly idleTimeout: Milliseconds;
  readonly keepaliveRequests: number;
}

export class ResponseSender {
  readonly #transport: Transport;
  readonly #buffers: BufferPool;
  readonly #clock: Clock;
  readonly #sendTimeout: Milliseconds;
  readonly #keeping: string;
  #isClosed = false;
  #bodyBytesSent = 0;
  /** An interim response is still waiting: later writes must wait behind it. */
  #isInterimWaiting = false;
  /** Called when the client has taken what was written, or the connection is closed. */
  #waiter: ((isOpen: boolean) => void) | undefined;
  #stallDeadline: Milliseconds | undefined;
  #lastUnsent: Bytes = bytes(0);

  constructor(transport: Transport, buffers: BufferPool, clock: Clock, limits: SendLimits) {
    this.#transport = transport;
    this.#buffers = buffers;
    this.#clock = clock;
    this.#sendTimeout = limits.sendTimeout;
    this.#keeping = keepingLines(limits.idleTimeout, limits.keepaliveRequests);
  }

  /** Body bytes of the latest response that the kernel has; after a failure, as of the last check. */
  get bodyBytesSent(): Bytes {
    return bytes(this.#bodyBytesSent);
  }

  /** @returns no promise if the kernel has everything at once */
  send(plan: ResponsePlan, persistence: Persistence, now: UnixSeconds): Sending {
    this.#bodyBytesSent = 0;
    if (this.#isClosed) return "cut";
    const { body } = plan;
    switch (body.kind) {
      case "none":
        return this.#settle(this.#sendBytes(plan, NOTHING, persistence, now));
      case "bytes":
        return this.#settle(this.#sendBytes(plan, body.bytes, persistence, now));
      case "file":
      case "chunked":
      case "parts":
        return this.#sendFile(Buffer.from(this.#formatHead(plan, persistence, now), "latin1"), body);
      default:
        return unreachable(body);
    }
  }

  /** Sends `100 Continue`, at most once per response. */
  sendInterim(message: Uint8Array): void {
    if (!this.#isClosed && !this.#transport.write(message)) this.#isInterimWaiting = true;
  }

  onDrained(): void {
    this.#isInterimWaiting = false;
    this.#release(true);
  }

  onClosed(): void {
    this.#isClosed = true;
    if (this.#isInterimWaiting) this.#bodyBytesSent = 0;
    else if (this.#waiter !== undefined) this.#bodyBytesSent = Math.max(0, this.#bodyBytesSent - this.#lastUnsent);
    this.#release(false);
  }

  /** Whether the client has taken nothing for `sendTimeout` although bytes wait. */
  isStalled(now: Milliseconds): boolean {
    if (this.#waiter === undefined || this.#stallDeadline === undefined) return false;
    const { unsent } = this.#transport;
    if (unsent !== 0 && unsent !== this.#lastUnsent) {
      this.#lastUnsent = unsent;
      this.#stallDeadline = milliseconds(now + this.#sendTimeout);
    }
    return now >= this.#stallDeadline;
  }

  #sendBytes(plan: ResponsePlan, body: Uint8Array, persistence: Persistence, now: UnixSeconds): Written {
    this.#bodyBytesSent = body.length;
    const memo = persistence === "keep" && body.length <= MAX_JOINED ? plan.memo : undefined;
    if (memo === undefined) return this.#sendOnce(plan, body, persistence, now);

    const written = this.#write(memo.at(now) ?? this.#keepMessage(memo, plan, body, now));
    if (written !== true && this.#isStillRead) memo.release();
    return written;
  }

  #sendOnce(plan: ResponsePlan, body: Uint8Array, persistence: Persistence, now: UnixSeconds): Written {
    const head = this.#formatHead(plan, persistence, now);
    if (head.length + body.length > MAX_JOINED) return this.#write(Buffer.from(head, "latin1"), body);
    const written = this.#write(join(scratch, head, body));
    if (written !== true && this.#isStillRead) scratch = Buffer.allocUnsafeSlow(MAX_JOINED);
    return written;
  }

  #keepMessage(memo: MessageMemo, plan: ResponsePlan, body: Uint8Array, now: UnixSeconds): Uint8Array {
    const head = this.#formatHead(plan, "keep", now);
    const message = join(Buffer.allocUnsafeSlow(head.length + body.length), head, body);
    memo.keep(now, message);
    return message;
  }

  #formatHead(plan: ResponsePlan, persistence: Persistence, now: UnixSeconds): string {
    return formatResponseHead(plan, now, persistence === "keep" ? this.#keeping : CLOSING_LINES);
  }

  /** Whether the kernel has yet to read the last write: its bytes must not change before. */
  get #isStillRead(): boolean {
    return this.#isInterimWaiting || this.#transport.unsent > 0;
  }

  async #sendFile(head: Uint8Array, body: FileBody): Promise<SendOutcome> {
    let handedOver = -head.length;
    const send: SendChunks = (chunk, second) => {
      handedOver += chunk.length + (second?.length ?? 0);
      this.#bodyBytesSent = handedOver;
      return this.#write(chunk, second);
    };
    return transferFile(head, body, this.#buffers, send, this.#clock);
  }

  #write(chunk: Uint8Array, second?: Uint8Array): Written {
    if (this.#isClosed) return false;
    if (this.#isInterimWaiting) return this.#drained(0).then((isOpen) => isOpen && this.#write(chunk, second));
    return this.#transport.write(chunk, second) || this.#drained(chunk.length + (second?.length ?? 0));
  }

  /** Resolves with whether the connection is still open. @param length  of the last write; 0 where there was none */
  #drained(length: number): Promise<boolean> {
    const { unsent } = this.#transport;
    // Nothing waits: the write failed, and none of it was sent.
    this.#lastUnsent = unsent === 0 ? bytes(length) : unsent;
    this.#stallDeadline = milliseconds(this.#clock.monotonic() + this.#sendTimeout);
    return new Promise((resolve) => {
      this.#waiter = resolve;
    });
  }

  #settle(written: Written): Sending {
    if (typeof written === "boolean") return written ? "sent" : "cut";
    return written.then((isOpen) => (isOpen ? "sent" : "cut"));
  }

  #release(isOpen: boolean): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    this.#stallDeadline = undefined;
    waiter?.(isOpen);
  }
}

const NOTHING = new Uint8Array(0);

/** @returns the part of `into` that holds both */
function join(into: Buffer, head: string, body: Uint8Array): Uint8Array {
  into.write(head, 0, "latin1");
  into.set(body, head.length);
  return into.subarray(0, head.length + body.length);
}
