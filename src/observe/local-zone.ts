/**
 * The time zone of this machine, found as the C library finds it (tzset(3)): the variable TZ, else /etc/localtime.
 *
 *     not set                 /etc/localtime; without that file UTC
 *     empty                   UTC
 *     /etc/zone, :/etc/zone   that file
 *     Europe/Berlin           that file below /usr/share/zoneinfo, or below TZDIR
 *     <+03>-3                 a rule
 *
 * ICU, which Node asks, knows names alone: it takes a rule, or a zone file without a name, for UTC or for the zone of
 * /etc/localtime. We ask it only for a name whose file is not installed.
 */
import { readFileSync } from "node:fs";
import { attempt } from "../base/errors.ts";
import { type OffsetAt, parseZoneFile, parseZoneRule, UTC } from "../base/time-zone.ts";
import { toUnixSeconds, type UnixMilliseconds } from "../base/units.ts";
import { disarmControls } from "./escape.ts";

export interface LocalZone {
  readonly offsetAt: OffsetAt;
  /** For the operator: the zone cannot be used, so local time is UTC. */
  readonly warning: string | undefined;
}

export interface ZoneVariables {
  readonly TZ?: string | undefined;
  readonly TZDIR?: string | undefined;
}

/** @param read  the bytes of a file, or undefined where it cannot be read */
export function findLocalZone(
  { TZ, TZDIR = ZONE_FOLDER }: ZoneVariables,
  read: (path: string) => Uint8Array | undefined,
): LocalZone {
  const fromFile = (path: string): OffsetAt | undefined => {
    const file = read(path);
    return file === undefined ? undefined : parseZoneFile(file);
  };
  if (TZ === undefined) {
    const file = read(LOCAL_TIME);
    const found = file === undefined ? UTC : parseZoneFile(file);
    return found === undefined
      ? unusable(`${LOCAL_TIME} is not a time zone file`)
      : { offsetAt: found, warning: undefined };
  }
  const name = TZ.replace(/^:/, "");
  if (name === "") return { offsetAt: UTC, warning: undefined };
  const found = name.startsWith("/")
    ? fromFile(name)
    : (fromFile(`${TZDIR}/${name}`) ?? parseZoneRule(name) ?? askNode(name));
  return found === undefined
    ? unusable(`TZ = ${disarmControls(TZ)} is not a time zone of this machine`)
    : { offsetAt: found, warning: undefined };
}

const LOCAL_TIME = "/etc/localtime";
const ZONE_FOLDER = "/usr/share/zoneinfo";

// Read once, and now: a sandbox or a chroot may hide the files later.
const LOCAL = findLocalZone(process.env, (path) => attempt(() => readFileSync(path)));

/** Minutes that local time is ahead of UTC at that moment. */
export function localOffset(moment: UnixMilliseconds): number {
  return Math.trunc(LOCAL.offsetAt(toUnixSeconds(moment)) / 60);
}

/** Undefined where local time is known. */
export function localZoneWarning(): string | undefined {
  return LOCAL.warning;
}

function unusable(why: string): LocalZone {
  return { offsetAt: UTC, warning: `${why}: times in logs are in UTC` };
}

/** Node brings zones of its own. They count where they are what Node makes of TZ. */
function askNode(name: string): OffsetAt | undefined {
  const wanted = attempt(() => new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone);
  if (wanted === undefined || wanted !== new Intl.DateTimeFormat().resolvedOptions().timeZone) return undefined;
  return (moment) => -60 * new Date(moment * 1000).getTimezoneOffset();
}
