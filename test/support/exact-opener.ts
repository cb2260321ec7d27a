/**
 * The opener that a worker in a chroot has; undefined where the C library cannot be called.
 */

import type { DescriptorPaths, ExactOpener } from "../../src/site/document-root.ts";
import { openExactPath } from "../../src/system/exact-directory.ts";
import { loadNative } from "../../src/system/native.ts";

const loaded = await loadNative();

export const exactOpener: ExactOpener | undefined =
  loaded.kind === "native" ? (path, flags) => openExactPath(loaded.native, path, flags) : undefined;

/** Why it is missing, for node:test's `skip`. */
export const exactOpenerMissing = loaded.kind === "missing" && loaded.why;

/** The ways by which an open file is proven to be inside. */
export type ProvingWay = DescriptorPaths | "exact";

/** For the options of a document root. */
export function provenBy(way: ProvingWay): { descriptorPaths: DescriptorPaths; openExactly?: ExactOpener | undefined } {
  return way === "exact" ? { descriptorPaths: "realpath", openExactly: exactOpener } : { descriptorPaths: way };
}
