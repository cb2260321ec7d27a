/**
 * The directory of a site's files, and its present real path. A document root may itself be reached through symbolic
 * links, and a deployment may swap them at any time. So the real path is looked up once per event-loop turn: later
 * requests use the new directory, and all requests of one turn agree.
 */
import { realpathSync } from "node:fs";
import {
  type AbsolutePath,
  absolutePath,
  contains,
  isExactPath,
  pathBelow,
  type SymlinkRule,
} from "../base/absolute-path.ts";
import type { LoopTurn } from "../base/clock.ts";
import { nodeStat, type StampedRoot, type StatFn } from "./file-stamp.ts";

/** The source of an open descriptor's real path: the kernel, or, without /proc, the name that was opened. */
export type DescriptorPaths = "proc" | "realpath";

export interface DocumentRootOptions {
  /** As configured; symbolic links in it are followed to any place. */
  readonly path: AbsolutePath;
  readonly turn: LoopTurn;
  /** The result of `probeDescriptorPaths`. */
  readonly descriptorPaths: DescriptorPaths;
  /** Present where /proc is missing and the C library can be called. */
  readonly openExactly?: ExactOpener | undefined;
  /** By default with Node's functions. */
  readonly stat?: StatFn | undefined;
}

/** Opens a real path and follows no link on the way. @returns a descriptor @throws the system's error */
export type ExactOpener = (path: AbsolutePath, flags: number) => number;

export class DocumentRoot implements StampedRoot {
  readonly path: AbsolutePath;
  readonly descriptorPaths: DescriptorPaths;
  readonly openExactly: ExactOpener | undefined;
  readonly stat: StatFn;
  readonly #options: DocumentRootOptions;
  readonly #turn: LoopTurn;
  /** Set where this root is a directory of another, which it must not leave. */
  readonly #parent: ParentRoot | undefined;
  #lookedUpIn: number | undefined;
  #realPath: AbsolutePath | undefined;
  /** By path checked in this turn: whether it leads to this root. */
  readonly #checkedPaths = new Map<string, boolean>();
  #checkedIn: number | undefined;
  /** Device and inode of this root, in the turn `#checkedIn`; undefined when it does not exist. */
  #device: number | undefined;
  #inode: number | undefined;

  constructor(options: DocumentRootOptions, parent?: ParentRoot) {
    this.#options = options;
    this.path = options.path;
    this.descriptorPaths = options.descriptorPaths;
    this.openExactly = options.openExactly;
    this.stat = options.stat ?? nodeStat;
    this.#turn = options.turn;
    this.#parent = parent;
  }

  /**
   * The present real path, without symbolic links. Looked up at most once per turn (3 µs).
   * @returns undefined when it is missing, not a searchable directory, or outside its parent; also when its name is not
   *   UTF-8: two such names may decode to the same text, so nothing could be proven to be below them
   */
  realPath(): AbsolutePath | undefined {
    const turn = this.#turn.current();
    if (turn !== this.#lookedUpIn) {
      this.#lookedUpIn = turn;
      this.#realPath = this.#lookUp();
    }
    return this.#realPath;
  }

  /** Checked once per path and event-loop turn: the files of one directory share the check. */
  isRootItself(path: AbsolutePath): boolean {
    // Only a root inside another can have left its parent.
    if (this.#parent !== undefined && this.realPath() === undefined) return false;
    if (path === this.path) return true;
    const turn = this.#turn.current();
    if (turn !== this.#checkedIn) {
      this.#checkedIn = turn;
      this.#checkedPaths.clear();
      const here = this.stat(pathBelow(this.path, "."), "follow");
      this.#device = here?.device;
      this.#inode = here?.inode;
    }
    const known = this.#checkedPaths.get(path);
    if (known !== undefined) return known;
    const found = this.stat(path, "follow");
    const isRoot = found !== undefined && found.inode === this.#inode && found.device === this.#device;
    this.#checkedPaths.set(path, isRoot);
    return isRoot;
  }

  /**
   * A root for the directory `name` directly below this one. It exists while that is a directory; a link may lead to it
   * only if links are followed and it stays inside this root.
   * @param name  one path component, neither empty nor `.` nor `..`
   */
  child(name: string, symlinks: SymlinkRule): DocumentRoot {
    const options = { ...this.#options, path: pathBelow(this.path, name) };
    return new DocumentRoot(options, { root: this, name, linksAllowed: symlinks !== "never" });
  }

  #lookUp(): AbsolutePath | undefined {
    if (this.#parent === undefined) return realDirectory(this.path);

    const parentPath = this.#parent.root.realPath();
    if (parentPath === undefined) return undefined;
    const ownPath = pathBelow(parentPath, this.#parent.name);
    const realPath = realDirectory(ownPath);
    if (realPath === undefined || !contains(parentPath, realPath)) return undefined;
    return this.#parent.linksAllowed || realPath === ownPath ? realPath : undefined;
  }
}

interface ParentRoot {
  readonly root: DocumentRoot;
  readonly name: string;
  readonly linksAllowed: boolean;
}

function realDirectory(path: AbsolutePath): AbsolutePath | undefined {
  try {
    // The final dot: the look-up fails for anything but a searchable directory.
    const realPath = realpathSync.native(`${path}/.`);
    return isExactPath(realPath) ? absolutePath(realPath) : undefined;
  } catch {
    return undefined;
  }
}
