/**
 * The access log collects lines and writes them in batches, one write at a time. No response waits for it.
 *
 * A batch is written at 64 KiB, or a second after its first line. While the disk stalls or refuses, lines wait in
 * memory up to a limit; more are dropped and counted. The event log reports the start of the trouble once, and
 * the number of lost lines when the backlog is written. A refused write is retried from the byte where it stopped.
 */
import { errorCode } from "../base/errors.ts";
import { type Bytes, bytes, type Milliseconds, milliseconds } from "../base/units.ts";
import { LineBatch } from "./line-batch.ts";
import type { Events } from "./log.ts";
import type { LogFile } from "./log-file.ts";
import { describeSystemError } from "./thrown.ts";

export interface AccessLogLimits {
  /** A batch of this size is written at once. */
  readonly batch: Bytes;
  /** The longest time that a line waits for others. */
  readonly delay: Milliseconds;
  /** Limit of the lines in memory, including those being written. */
  readonly pending: Bytes;
  readonly retry: Milliseconds;
  /** Timeout of `flush`. */
  readonly flush: Milliseconds;
}

export const ACCESS_LOG_LIMITS: AccessLogLimits = {
  batch: bytes(64 * 1024),
  delay: milliseconds(1000),
  pending: bytes(8 * 1024 * 1024),
  retry: milliseconds(1000),
  flush: milliseconds(2000),
};

// A full pipe is not a fault: its reader needs a moment.
const FULL_PIPE_RETRY = milliseconds(20);
// A write ends in a later turn of the event loop, and a busy turn makes more than one batch.
const MAX_BATCHES_A_WRITE = 16;
const LINE_FEED = 0x0a;
const NOTHING = new Uint8Array(0);

/** Why the file refused lines that another process tried to write. */
export interface Refusal {
  readonly why: string;
  /** The file has the beginning of the first line, so the rest must be written next. */
  readonly isTorn: boolean;
}

type Outcome =
  | { readonly kind: "taken"; readonly count: number }
  | { readonly kind: "full" }
  | { readonly kind: "refused"; readonly why: string };

interface Rest {
  /** A full batch ends the pause. */
  readonly untilFull: boolean;
  readonly wake: () => void;
}

export class AccessLog {
  readonly #file: LogFile;
  readonly #events: Events;
  readonly #limits: AccessLogLimits;
  /** The next batch. */
  readonly #lines: LineBatch;
  readonly #batches: Uint8Array[] = [];
  /** The rest of the batch that is being written. */
  #unwritten: Uint8Array = NOTHING;
  /** In `#batches` and `#unwritten`. */
  #batchedBytes = 0;
  /** The one write loop; undefined while there is nothing to write. */
  #work: Promise<void> | undefined;
  #rest: Rest | undefined;
  #isFlushing = false;
  #isClosed = false;
  #isRefused = false;
  #lostLines = 0;

  constructor(file: LogFile, events: Events, limits: AccessLogLimits = ACCESS_LOG_LIMITS) {
    this.#file = file;
    this.#events = events;
    this.#limits = limits;
    this.#lines = new LineBatch(limits.batch);
  }

  /** @param line  printable ASCII without a line feed, as `log-format` makes it. Nothing is recorded after `close`. */
  record(line: string): void {
    if (this.#isClosed) return;
    if (this.#batchedBytes + this.#lines.length + line.length >= this.#limits.pending) {
      this.#drop(1);
      return;
    }
    this.#lines.add(line);
    if (this.#lines.length >= this.#limits.batch) this.#sealBatch();
    this.#work ??= this.#writeAll();
  }

  /**
   * @param batch  lines of another process; the log owns the buffer from now on
   * @param refusal  the file has just refused them: the retry waits, so that other processes' refused lines can arrive
   */
  append(batch: Uint8Array, refusal?: Refusal): void {
    if (this.#isClosed) return;
    if (refusal === undefined && this.#batchedBytes + this.#lines.length + batch.length > this.#limits.pending) {
      this.#drop(countLines(batch));
      return;
    }
    this.#batchedBytes += batch.length;
    if (refusal?.isTorn) this.#batches.unshift(batch);
    else this.#batches.push(batch);
    if (refusal !== undefined) this.#reportRefusal(refusal.why);
    this.#work ??= this.#writeAll(refusal && this.#pause(this.#limits.retry, false));
  }

  /**
   * Writes everything recorded so far without waiting for more. The event log says how many lines the file refused now,
   * which are lost, or how many bytes are left at the timeout.
   *
   * @returns true when nothing is left to write; never rejects
   */
  async flush(): Promise<boolean> {
    if (this.#work === undefined) return true;
    this.#isFlushing = true;
    this.#rest?.wake();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, this.#limits.flush, false);
    });
    const isWritten = await Promise.race([this.#work.then(() => true), late]);
    clearTimeout(timer);
    this.#isFlushing = false;
    if (!isWritten) {
      const left = this.#batchedBytes + this.#lines.length;
      this.#events.error(`access log ${this.#file.name} is too slow: bytes not written at exit: ${left}`);
    }
    return isWritten;
  }

  /** Resolves when everything recorded before then is written. */
  async idle(): Promise<void> {
    while (this.#work !== undefined) await this.#work;
  }

  /** Flushes, then closes the file. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // A write that still waits holds the descriptor: its number must not be reused for the next file.
    if (!(await this.flush())) return;
    await this.#file.close().catch((error: unknown) => {
      this.#events.error(`cannot close access log ${this.#file.name}: ${describeSystemError(error)}`);
    });
  }

  #drop(lines: number): void {
    if (this.#lostLines === 0) this.#events.warn(`access log ${this.#file.name} is too slow: dropping lines`);
    this.#lostLines += lines;
  }

  #sealBatch(): void {
    const batch = this.#lines.take();
    this.#batches.push(batch);
    this.#batchedBytes += batch.length;
    if (this.#rest?.untilFull) this.#rest.wake();
  }

  async #writeAll(after?: Promise<void>): Promise<void> {
    if (after !== undefined) await after;
    while (this.#batches.length > 0 || this.#lines.length > 0) {
      if (this.#batches.length === 0 && !this.#isFlushing) await this.#pause(this.#limits.delay, true);
      if (this.#batches.length === 0) this.#sealBatch();
      const batch = concat(this.#batches.splice(0, MAX_BATCHES_A_WRITE));
      this.#unwritten = batch;
      while (this.#unwritten.length > 0) await this.#writeSome();
      this.#lines.giveBack(batch);
    }
    this.#work = undefined;
  }

  async #writeSome(): Promise<void> {
    const outcome = await this.#tryWrite();
    switch (outcome.kind) {
      case "taken":
        this.#unwritten = this.#unwritten.subarray(outcome.count);
        this.#batchedBytes -= outcome.count;
        if (this.#batchedBytes === 0) this.#reportEndOfTrouble();
        return;
      case "full":
        return this.#pause(FULL_PIPE_RETRY, false);
      case "refused":
        this.#reportRefusal(outcome.why);
        if (this.#isFlushing) return this.#dropBatch();
        return this.#pause(this.#limits.retry, false);
    }
  }

  async #tryWrite(): Promise<Outcome> {
    try {
      return { kind: "taken", count: await this.#file.write(this.#unwritten) };
    } catch (error) {
      if (errorCode(error) === "EAGAIN") return { kind: "full" };
      return { kind: "refused", why: describeSystemError(error) };
    }
  }

  /** Ends after `time`, when `flush` is called, or, with `untilFull`, when a whole batch is ready. */
  #pause(time: Milliseconds, untilFull: boolean): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#rest = undefined;
        resolve();
      };
      const timer = setTimeout(wake, time);
      // The log alone must not keep the process alive: its owner calls `flush` before exit.
      timer.unref();
      this.#rest = { untilFull, wake };
    });
  }

  #dropBatch(): void {
    const lines = countLines(this.#unwritten);
    this.#batchedBytes -= this.#unwritten.length;
    this.#unwritten = NOTHING;
    this.#events.error(`access log ${this.#file.name}: lines lost: ${lines + this.#lostLines}`);
    this.#lostLines = 0;
  }

  #reportRefusal(why: string): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    const interval = this.#limits.retry / 1000;
    this.#events.error(`cannot write access log ${this.#file.name}: ${why}; retrying every ${interval} s`);
  }

  #reportEndOfTrouble(): void {
    if (!this.#isRefused && this.#lostLines === 0) return;
    this.#events.warn(`access log ${this.#file.name} is writable again; lines lost: ${this.#lostLines}`);
    this.#isRefused = false;
    this.#lostLines = 0;
  }
}

/** A log that keeps up has one batch, so nothing is copied. */
function concat(batches: readonly Uint8Array[]): Uint8Array {
  const [first = NOTHING] = batches;
  return batches.length === 1 ? first : Buffer.concat(batches);
}

function countLines(batch: Uint8Array): number {
  return batch.reduce((count, byte) => (byte === LINE_FEED ? count + 1 : count), 0);
}
