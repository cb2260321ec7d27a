/**
 * A site over a real directory, with the time and the event-loop turn in the test's hand; and what its tests must know
 * of the machine.
 */

import { chmodSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import type { Clock, LoopTurn } from "../../src/base/clock.ts";
import { bytes, milliseconds, seconds, unixMilliseconds } from "../../src/base/units.ts";
import { DocumentRoot } from "../../src/site/document-root.ts";
import { FileCache } from "../../src/site/file-cache.ts";
import { ListingMemory } from "../../src/site/listing-memory.ts";
import type { LocateContext } from "../../src/site/locate.ts";
import { probeDescriptorPaths } from "../../src/site/open-file.ts";
import { SharedListings } from "../../src/site/shared-listings.ts";
import type { Site, SiteRules } from "../../src/site/site.ts";
import { UploadLedger } from "../../src/site/upload-quota.ts";
import { directPool } from "./direct-pool.ts";
import { siteRules } from "./site-rules.ts";

/** Moves when the test says so. */
export class HandTurn implements LoopTurn {
  #number = 0;
  current(): number {
    return this.#number;
  }
  next(): void {
    this.#number += 1;
  }
}

/** The first second of 2024: files of that age have strong tags. */
export const LONG_AGO = Date.UTC(2024, 0, 1) / 1000;

export class HandClock implements Clock {
  /** Milliseconds since 1970; the first day of 2030. */
  time = Date.UTC(2030, 0, 1);
  wall() {
    return unixMilliseconds(this.time);
  }
  monotonic() {
    return milliseconds(this.time);
  }
}

export function siteAt(path: AbsolutePath, turn: LoopTurn, changes: Partial<SiteRules> = {}, name = "main"): Site {
  const root = new DocumentRoot({ path, turn, descriptorPaths: probeDescriptorPaths() });
  return { name, root, rules: siteRules(changes) };
}

/** With room for everything up to a megabyte, unless `limits` says otherwise. */
export function locateContext(
  turn: LoopTurn,
  clock: Clock,
  limits: { maxBytes?: number; maxFile?: number } = {},
): LocateContext {
  const { maxBytes = 2 ** 26, maxFile = 2 ** 20 } = limits;
  const files = new FileCache(
    { maxBytes: bytes(maxBytes), maxFile: bytes(maxFile), valid: milliseconds(0) },
    turn,
    clock,
  );
  return {
    files,
    pool: directPool,
    listings: new SharedListings(directPool, new ListingMemory()),
    uploads: new UploadLedger(),
    retryAfter: seconds(5),
    clock,
  };
}

export function writeOld(path: string, content: string | Uint8Array): void {
  writeFileSync(path, content);
  utimesSync(path, LONG_AGO, LONG_AGO);
}

/** Returns when a change of `path` would be told by its times: the file system's clock ticks some hundred times a second. */
export function passTick(path: string, directory: string): void {
  const before = statSync(path).ctimeMs;
  const probe = `${directory}/probe`;
  do writeFileSync(probe, "");
  while (statSync(probe).ctimeMs <= before);
}

/** How many descriptors this process has open. */
export function countDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Why descriptors cannot be counted, for node:test's `skip`. */
export const descriptorsUncounted = probeDescriptorPaths() === "proc" ? false : "no /proc";

const NOBODY = 65534;

/** Does something synchronous with the rights of an ordinary user, whoever runs the tests, in a tree that user may enter. */
export function asOrdinaryUser<Result>(top: AbsolutePath, act: () => Result): Result {
  if (process.geteuid?.() !== 0) return act();
  chmodSync(top, 0o755);
  process.seteuid?.(NOBODY);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
  }
}
