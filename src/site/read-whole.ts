/**
 * Reads a small file whole, so that the bytes are those of one version of it.
 *
 * Sizes may lie: sysfs says 4096 for five bytes, /proc says 0 for any content. What is there until the end of the file
 * counts then; if stat(2) still gives the announced size, the file was not changed meanwhile.
 */
import { fstatSync, readSync } from "node:fs";
import type { Bytes } from "../base/units.ts";
import type { OpenSource } from "../http/response-plan.ts";

export type WholeFile =
  /** `isSizeTrue`: false where there are more or fewer bytes than stat(2) says. */
  | { readonly kind: "read"; readonly bytes: Uint8Array; readonly isSizeTrue: boolean }
  | { readonly kind: "changed" }
  /** stat(2) says that it is empty, but it has more than `limit` bytes. */
  | { readonly kind: "endless" };

const CHANGED: WholeFile = { kind: "changed" };
/** Enough for most files of /proc. */
const PROBE_BYTES = 4096;

/**
 * A file that grows or is touched meanwhile is read all the same: if a second pass finds the same bytes, the file held
 * exactly these at the moment between the two.
 * @param limit  of a file whose size lies
 * @throws the system's error
 */
export function readWhole(source: OpenSource, limit: Bytes): WholeFile {
  const { descriptor, identity } = source;
  const { size } = identity;
  if (size === 0) return readUnannounced(source, limit);
  const content = Buffer.allocUnsafeSlow(size);
  const filled = readFromStart(descriptor, content);
  const now = fstatSync(descriptor, { bigint: true });
  const isSame = now.mtimeNs === identity.modifiedNs && now.ctimeNs === identity.changedNs && now.size === BigInt(size);
  if (filled < size) return isSame ? { kind: "read", bytes: content.subarray(0, filled), isSizeTrue: false } : CHANGED;
  if (isSame && source.isSettled) return { kind: "read", bytes: content, isSizeTrue: true };
  return now.size >= BigInt(size) && isHeld(descriptor, content)
    ? { kind: "read", bytes: content, isSizeTrue: true }
    : CHANGED;
}

/** An empty file, or one that only seems to be. */
function readUnannounced({ descriptor }: OpenSource, limit: Bytes): WholeFile {
  let content = Buffer.alloc(0);
  let filled = 0;
  for (let space = Math.min(PROBE_BYTES, limit + 1); ; space = Math.min(2 * space, limit + 1)) {
    content = Buffer.concat([content], space);
    filled += readFromStart(descriptor, content.subarray(filled), filled);
    if (filled < content.length) break;
    if (filled > limit) return { kind: "endless" };
  }
  if (filled > 0 && fstatSync(descriptor).size > 0) return CHANGED;
  return { kind: "read", bytes: content.subarray(0, filled), isSizeTrue: filled === 0 };
}

function isHeld(descriptor: number, content: Buffer): boolean {
  const again = Buffer.allocUnsafe(content.length);
  return readFromStart(descriptor, again) === content.length && again.equals(content);
}

/** @returns how many bytes there were before the end of the file */
function readFromStart(descriptor: number, into: Buffer, start = 0): number {
  let filled = 0;
  while (filled < into.length) {
    const count = readSync(descriptor, into, filled, into.length - filled, start + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
