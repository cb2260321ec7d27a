/**
 * Temporary trees of files, with links in all directions.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";

export type Entry = string | { readonly link: string } | { readonly fifo: true };

/** A test's context, or node:test's own `after` for a whole file. */
export interface Cleanup {
  after(clean: () => void): void;
}

/**
 * Makes a temporary directory that goes when the test ends.
 *
 * @param entries  path to content; a path that ends in a slash is a directory
 * @returns its real path
 */
export function makeTree(t: Cleanup, entries: Readonly<Record<string, Entry>> = {}): AbsolutePath {
  const top = realpathSync(mkdtempSync(join(tmpdir(), "comanche-tree-")));
  // A server that was killed may write a last file while its folder is removed.
  t.after(() => rmSync(top, { recursive: true, force: true, maxRetries: 5 }));
  addToTree(top, entries);
  return absolutePath(top);
}

export function addToTree(top: string, entries: Readonly<Record<string, Entry>>): void {
  for (const [name, entry] of Object.entries(entries)) {
    const path = join(top, name);
    mkdirSync(name.endsWith("/") ? path : dirname(path), { recursive: true });
    if (name.endsWith("/")) continue;
    if (typeof entry === "string") writeFileSync(path, entry);
    else if ("link" in entry) symlinkSync(entry.link, path);
    else execFileSync("mkfifo", [path]);
  }
}

export function linkTo(target: string): Entry {
  return { link: target };
}

export const DIRECTORY = "";
export const FIFO: Entry = { fifo: true };

/** Why a test of file permissions cannot be run, for node:test's `skip`; false when it can. */
export const permissionsDoNotBind = process.getuid?.() === 0 ? "permissions do not bind root" : false;
