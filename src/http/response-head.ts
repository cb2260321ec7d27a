/** The head of a response on the wire (RFC 9112 §4), and messages that are sent repeatedly. */
import { reasonPhrase, type Status } from "../base/status.ts";
import type { Milliseconds, UnixSeconds } from "../base/units.ts";
import { CR } from "./field-syntax.ts";
import { formatHttpDate } from "./http-date.ts";

export interface Field {
  readonly name: string;
  readonly value: string;
}

export interface StatusAndFields {
  readonly status: Status;
  /** All but those that belong to the moment of sending and to the connection: Date, Connection and Keep-Alive. */
  readonly fields: readonly Field[];
}

/** The lines of a response after which the connection closes (RFC 9112 §9.6). */
export const CLOSING_LINES = "Connection: close\r\n";

/**
 * The lines of a response after which the connection is kept, the same for each one, so that messages can be kept too.
 * `max` is the limit of a connection, not what is left of it: the last response says `Connection: close`.
 * @param timeout  how long the connection is at least kept without a request; written in whole seconds
 */
export function keepingLines(timeout: Milliseconds, maxRequests: number): string {
  return `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(timeout / 1000)}, max=${maxRequests}\r\n`;
}

/**
 * Status line, fields and the empty line after them, as Latin-1 text.
 * @param connection  `CLOSING_LINES` or `keepingLines`
 */
export function formatResponseHead(plan: StatusAndFields, now: UnixSeconds, connection: string): string {
  let head = `HTTP/1.1 ${plan.status} ${reasonPhrase(plan.status)}\r\nDate: ${dateAt(now)}\r\n`;
  for (const { name, value } of plan.fields) head += `${name}: ${value}\r\n`;
  return `${head}${connection}\r\n`;
}

/** @param message  begins with the result of `formatResponseHead` */
function stampDate(message: Uint8Array, now: UnixSeconds): void {
  dateAt(now);
  // The status line ends with the first CR; Date is the first field.
  message.set(dateOctets, message.indexOf(CR) + LENGTH_TO_DATE);
}

const LENGTH_TO_DATE = "\r\nDate: ".length;

let dateSecond: UnixSeconds | undefined;
let dateText = "";
let dateOctets = new Uint8Array(0);

/** All responses of one second have the same date. */
function dateAt(now: UnixSeconds): string {
  if (now !== dateSecond) {
    dateSecond = now;
    dateText = formatHttpDate(now);
    dateOctets = Buffer.from(dateText, "latin1");
  }
  return dateText;
}

/**
 * A finished response that is sent repeatedly: head and body in one buffer, for one write. The Date is patched in place
 * once a second, so ten thousand busy files make no garbage. A caller that passes the buffer to an asynchronous reader
 * must call `release`.
 */
export class MessageMemo {
  #second: UnixSeconds | undefined = undefined;
  #message: Uint8Array | undefined = undefined;
  readonly #onMade: (message: Uint8Array) => void;

  /** @param onMade  called with each message that is kept */
  constructor(onMade: (message: Uint8Array) => void = () => undefined) {
    this.#onMade = onMade;
  }

  /** The message with the date of that second; undefined when there is none. Valid until the next call. */
  at(second: UnixSeconds): Uint8Array | undefined {
    const message = this.#message;
    if (message !== undefined && this.#second !== second) {
      this.#second = second;
      stampDate(message, second);
    }
    return message;
  }

  /** @param message  formatted for that second; the memo owns it afterwards */
  keep(second: UnixSeconds, message: Uint8Array): void {
    this.#second = second;
    this.#message = message;
    this.#onMade(message);
  }

  /** The bytes are still being read: they do not change, and the next message gets another buffer. */
  release(): void {
    this.#message = undefined;
  }
}
