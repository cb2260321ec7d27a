/**
 * A disk that is soon full: a file system in memory, which only root may mount.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { type Cleanup, makeTree } from "./file-tree.ts";

/** Why none can be mounted, for node:test's `skip`; false when it can. */
export const mountsAreNotAllowed = findObstacle();

function findObstacle(): string | false {
  if (process.getuid?.() !== 0) return "only root may mount a small disk";
  const undo: (() => void)[] = [];
  try {
    mountSmall({ after: (clean) => undo.push(clean) }, {});
    return false;
  } catch {
    return "this machine does not let root mount a small disk";
  } finally {
    for (const clean of undo.reverse()) clean();
  }
}

/** @param limits  `bytes` are rounded up to pages; `inodes` count the directory itself */
export function mountSmall(
  t: Cleanup,
  { bytes = 1024 * 1024, inodes = 1000 }: { readonly bytes?: number; readonly inodes?: number },
): AbsolutePath {
  const cleanup: (() => void)[] = [];
  // In this order: what is mounted goes before what it is mounted on.
  const top = makeTree({ after: (clean) => cleanup.push(clean) });
  const place = `${top}/disk`;
  mkdirSync(place);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes},nr_inodes=${inodes}`, "tmpfs", place], {
      stdio: "pipe",
    });
  } catch (error) {
    rmSync(top, { recursive: true });
    throw error;
  }
  t.after(() => {
    execFileSync("umount", ["-l", place]);
    for (const clean of cleanup) clean();
  });
  return absolutePath(place);
}
