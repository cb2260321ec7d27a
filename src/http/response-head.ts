/**
 * The head of a response as it goes over the wire (RFC 9112 §4).
 */

import type { UnixSeconds } from "../base/units.ts";
import { formatHttpDate } from "./http-date.ts";
import type { ResponsePlan } from "./response-plan.ts";
import { reasonPhrase } from "./status.ts";

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

let dateSecond: UnixSeconds | undefined;
let dateText = "";

/** Every response of one second has the same date. */
function dateAt(now: UnixSeconds): string {
  if (now !== dateSecond) {
    dateSecond = now;
    dateText = formatHttpDate(now);
  }
  return dateText;
}
