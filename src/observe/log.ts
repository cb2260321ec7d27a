/**
 * Events: what the server reports about itself, apart from the access log.
 *
 *     [2024-03-15 10:30:00] Comanche 0.1.0 serves /srv/www at http://127.0.0.1:8080/
 *     [2024-03-15 10:30:07] warning: all 10 workers are busy: tasks wait in the queue
 *
 * An event is written to each sink whose level allows it: console, file, or both. Writes are synchronous: events are
 * few and the last one before a crash matters most. They never fail: a lost terminal or a full disk must not stop a
 * server. Control characters are disarmed. Text from a client must also pass `escapeText`, which shows its limits.
 */
import { writeSync } from "node:fs";
import { type Clock, systemClock } from "../base/clock.ts";
import { errorCode } from "../base/errors.ts";
import { disarmControls } from "./escape.ts";
import { localOffset } from "./local-zone.ts";
import { cachePerSecond, formatConsoleTime } from "./log-time.ts";
import { describeThrown } from "./thrown.ts";

const EVENT_LEVELS = ["error", "warn", "info", "debug"] as const;
export type EventLevel = (typeof EVENT_LEVELS)[number];

/** A console, a file, syslog, another process. */
export interface EventSink {
  /** Events of this level and of those before it are written. */
  readonly level: EventLevel;
  /** @param text  without time and label; may have several lines; control characters are disarmed */
  write(level: EventLevel, text: string): void;
}

export interface Events {
  error(text: string, cause?: unknown): void;
  warn(text: string): void;
  info(text: string): void;
  debug(text: string): void;
}

export type WriteSome = (descriptor: number, bytes: Uint8Array) => number;

const EVENT_LABELS: Readonly<Record<EventLevel, string>> = {
  error: "error: ",
  warn: "warning: ",
  info: "",
  debug: "debug: ",
};

const MAX_TRIES_WHEN_FULL = 10;
const WAIT_WHEN_FULL_MS = 1;

export class EventLog implements Events {
  readonly #sinks: readonly EventSink[];

  constructor(sinks: readonly EventSink[]) {
    this.#sinks = sinks;
  }

  /** @param cause  what was thrown: its stack, and those of its causes, follow the text */
  error(text: string, cause?: unknown): void {
    this.record("error", cause === undefined ? text : `${text}\n${describeThrown(cause)}`);
  }

  warn(text: string): void {
    this.record("warn", text);
  }

  info(text: string): void {
    this.record("info", text);
  }

  debug(text: string): void {
    this.record("debug", text);
  }

  record(level: EventLevel, text: string): void {
    const wanting = this.#sinks.filter((sink) => isLevelShown(level, sink.level));
    if (wanting.length === 0) return;
    const safe = disarmControls(text.trimEnd());
    for (const sink of wanting) sink.write(level, safe);
  }
}

/** Writes events as lines with time and label. */
export class LineSink implements EventSink {
  readonly level: EventLevel;
  readonly #output: { readonly descriptor: number };
  readonly #clock: Clock;
  readonly #write: WriteSome;
  readonly #time = cachePerSecond((moment) => formatConsoleTime(moment, localOffset(moment)));
  /** Events not written since the last one that was. */
  #lost = 0;

  /** @param output  its descriptor may change between two events, when the file is reopened */
  constructor(
    output: { readonly descriptor: number },
    level: EventLevel,
    clock: Clock = systemClock,
    write: WriteSome = writeSync,
  ) {
    this.#output = output;
    this.level = level;
    this.#clock = clock;
    this.#write = write;
  }

  write(level: EventLevel, text: string): void {
    const time = this.#time(this.#clock.wall());
    const apology =
      this.#lost === 0 ? "" : formatEvent(time, "warn", `events that could not be written to this log: ${this.#lost}`);
    const event = Buffer.from(apology + formatEvent(time, level, text));
    this.#lost = writeWhole(this.#write, this.#output.descriptor, event) ? 0 : this.#lost + 1;
  }
}

/** `quiet` leaves only errors on the console; a file still gets everything up to `level`. */
export function decideConsoleLevel(level: EventLevel, quiet: boolean): EventLevel {
  return quiet ? "error" : level;
}

function isLevelShown(level: EventLevel, shown: EventLevel): boolean {
  return EVENT_LEVELS.indexOf(level) <= EVENT_LEVELS.indexOf(shown);
}

/** Ends with a line feed. Further lines of the text are indented, so that none can pass for an event. */
export function formatEvent(time: string, level: EventLevel, text: string): string {
  return `[${time}] ${EVENT_LABELS[level]}${text.replaceAll("\n", "\n    ")}\n`;
}

/** @returns false when the sink did not accept all of it */
function writeWhole(write: WriteSome, descriptor: number, text: Uint8Array): boolean {
  let rest = text;
  for (let tries = 0; rest.length > 0; ) {
    try {
      rest = rest.subarray(write(descriptor, rest));
    } catch (error) {
      // Another process may have made the console's pipe non-blocking; its reader may need a moment.
      if (errorCode(error) !== "EAGAIN" || ++tries === MAX_TRIES_WHEN_FULL) return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_WHEN_FULL_MS);
    }
  }
  return true;
}
