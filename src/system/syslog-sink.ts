/**
 * Events for syslog(3), which waits for a slow receiver and does not report a missing one.
 *
 * A line is a message. Further lines of an event are indented, so that none can pass for an event of its own. A line that
 * is longer than any receiver must take (RFC 3164 §4.1) continues in the next message.
 */
import { statSync } from "node:fs";
import { StartupError } from "../base/errors.ts";
import { SYSLOG_FACILITIES, type SyslogFacility } from "../config/options.ts";
import type { EventLevel, EventSink } from "../observe/log.ts";
import type { NativeResult } from "./native.ts";

/** @throws StartupError when the C library cannot be called */
export function openSyslogSink(native: NativeResult, facility: SyslogFacility, level: EventLevel): EventSink {
  if (native.kind === "missing") throw new StartupError(`syslog = yes is not possible: ${native.why}`);
  const { openSyslog, syslog } = native.native;
  openSyslog("comanche", facilityNumber(facility));
  return {
    level,
    write(eventLevel, text) {
      for (const message of planSyslogMessages(text)) syslog(SEVERITIES[eventLevel], message);
    },
  };
}

/** A notice when no syslog daemon listens. One that starts later is found then, so the server starts all the same. */
export function syslogNotice(path = "/dev/log"): string | undefined {
  const isThere = statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
  return isThere ? undefined : `syslog = yes, but there is no socket ${path} yet: no syslog daemon is running`;
}

/** RFC 5424 §6.2.1. The C library takes the kernel's facility, 0, for none and sends `user` instead. */
function facilityNumber(facility: SyslogFacility): number {
  const [, local] = /^local([0-7])$/.exec(facility) ?? [];
  return local === undefined ? 1 + SYSLOG_FACILITIES.indexOf(facility) : 16 + Number(local);
}

const SEVERITIES: Readonly<Record<EventLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

/** Empty lines are left out. Beyond `MAX_MESSAGES` the rest is counted instead. */
export function planSyslogMessages(text: string): readonly string[] {
  const [first = "", ...rest] = text
    .trim()
    .split("\n")
    .filter((line) => line.trim() !== "");
  const messages = [first, ...rest.map((line) => INDENT + line)].flatMap(cutLine).filter((line) => line !== "");
  if (messages.length <= MAX_MESSAGES) return messages;
  const kept = messages.slice(0, MAX_MESSAGES - 1);
  return [...kept, `${INDENT}(left out: ${messages.length - kept.length} more lines)`];
}

const INDENT = "    ";
// A packet has at most 1024 bytes; time, name and number go before the text.
const MAX_MESSAGE_BYTES = 960;
const MAX_MESSAGES = 64;

function cutLine(line: string): readonly string[] {
  if (Buffer.byteLength(line) <= MAX_MESSAGE_BYTES) return [line];
  const pieces: string[] = [];
  let piece = "";
  let size = 0;
  for (const character of line) {
    const bytes = Buffer.byteLength(character);
    if (size + bytes > MAX_MESSAGE_BYTES) {
      pieces.push(piece);
      piece = INDENT;
      size = INDENT.length;
    }
    piece += character;
    size += bytes;
  }
  return [...pieces, piece];
}
