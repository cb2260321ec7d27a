/**
 * The head of a response as it goes over the wire (RFC 9112 §4).
 */

import { reasonPhrase } from "../base/status.ts";
import type { UnixSeconds } from "../base/units.ts";
import { formatHttpDate } from "./http-date.ts";
import { CR } from "./octets.ts";
import type { ResponsePlan } from "./response-plan.ts";

/**
 * Status line and fields with the empty line after them, as Latin-1 text.
 *
 * @param connection  the value of the Connection field, or undefined to leave it out
 */
export function formatResponseHead(plan: ResponsePlan, now: UnixSeconds, connection: string | undefined): string {
  let head = `HTTP/1.1 ${plan.status} ${reasonPhrase(plan.status)}\r\nDate: ${dateAt(now)}\r\n`;
  for (const { name, value } of plan.fields) head += `${name}: ${value}\r\n`;
  if (connection !== undefined) head += `Connection: ${connection}\r\n`;
  return `${head}\r\n`;
}

/**
 * Changes the date of a finished head.
 *
 * @param message  begins with what `formatResponseHead` has made
 */
export function stampDate(message: Uint8Array, now: UnixSeconds): void {
  // The status line ends with the first CR; Date is the first field.
  message.set(dateOctetsAt(now), message.indexOf(CR) + LENGTH_TO_DATE);
}

const LENGTH_TO_DATE = "\r\nDate: ".length;

let dateSecond: UnixSeconds | undefined;
let dateText = "";
let dateOctets = new Uint8Array(0);

/** Every response of one second has the same date. */
function dateAt(now: UnixSeconds): string {
  if (now !== dateSecond) {
    dateSecond = now;
    dateText = formatHttpDate(now);
    dateOctets = Buffer.from(dateText, "latin1");
  }
  return dateText;
}

function dateOctetsAt(now: UnixSeconds): Uint8Array {
  dateAt(now);
  return dateOctets;
}
