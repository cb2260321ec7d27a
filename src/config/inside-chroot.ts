/**
 * With `chroot` set, what is served lies inside it, and is named as it is seen from there: a relative `docbase`, of a
 * flag or of the file, counts from the root of the chroot, and its default is `/htdocs` there. So does an absolute
 * `upload-dir`, which is text that needs no change. Logs, PID file and Unix sockets are opened outside.
 */
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import type { Layer } from "./layer.ts";
import type { Situation } from "./options.ts";

/** The options whose relative paths count from the root of the chroot. */
const KEYS_INSIDE: ReadonlySet<string> = new Set(["docbase"]);

const ROOT = absolutePath("/");
const HTDOCS = absolutePath("/htdocs");

/** The entries of one layer, each with the folder that its relative path is relative to. */
export function layerInside(chroot: AbsolutePath | undefined, layer: Layer): Layer {
  if (chroot === undefined) return layer;
  return new Map([...layer].map(([key, entry]) => [key, KEYS_INSIDE.has(key) ? { ...entry, folder: ROOT } : entry]));
}

export function situationInside(chroot: AbsolutePath | undefined, situation: Situation): Situation {
  return chroot === undefined ? situation : { ...situation, htdocs: HTDOCS };
}
