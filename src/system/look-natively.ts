/**
 * Looks at names through the C library: 1.3 µs instead of the 2 to 2.5 of Node's functions.
 */
import type { StatFn } from "../site/file-stat.ts";
import { parseLook, STATX_BYTES } from "./directory-bytes.ts";
import type { Native } from "./native.ts";

export function nativeStat(native: Pick<Native, "statPath">): StatFn {
  const record = Buffer.alloc(STATX_BYTES);
  return (path, lastLink) => {
    try {
      native.statPath(path, lastLink, record);
    } catch {
      return undefined;
    }
    return parseLook(record);
  };
}
