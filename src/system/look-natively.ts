/**
 * Looks at names through the C library: 1.3 µs instead of the 2 to 2.5 of Node's functions.
 */
import type { LookAt } from "../site/file-look.ts";
import { parseLook, STATX_BYTES } from "./directory-bytes.ts";
import type { Native } from "./native.ts";

export function lookNatively(native: Pick<Native, "statPath">): LookAt {
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
