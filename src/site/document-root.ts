/**
 * The directory of a site's files, and its present real path. A document root may itself be reached through symbolic
 * links, and a deployment may swap them at any time. So the real path is looked up once per event-loop turn: later
 * requests use the new directory, and all requests of one turn agree.
 *
 * The sandbox of a process may not reach the new directory. Then the process reports it and serves the former directory,
 * wholly, until another process with a wider sandbox takes over.
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
import { type FileStat, nodeStat, type StampedRoot, type StatFn } from "./file-stamp.ts";

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
  /** Undefined where no sandbox limits it. */
  readonly reach?: Reach | undefined;
}

/** What the sandbox of this process lets it use. */
export interface Reach {
  /** @param path  a real path */
  reads(path: AbsolutePath): boolean;
  /** Also for a directory that does not exist: whether it may be made. */
  stores(path: AbsolutePath): boolean;
  /** Asks for another process, whose sandbox reaches `place`. May be called as often as it is found missing. */
  report(place: AbsolutePath): void;
}

/** What a root is in one turn. Paths are real, without symbolic links. */
export type RootState =
  | { readonly kind: "present"; readonly path: AbsolutePath }
  /** The present directory is out of reach; the former one still exists. */
  | { readonly kind: "former"; readonly path: AbsolutePath }
  | { readonly kind: "out-of-reach" }
  /** Not a searchable directory, or outside its parent. */
  | { readonly kind: "missing" };

const OUT_OF_REACH: RootState = { kind: "out-of-reach" };
const MISSING: RootState = { kind: "missing" };

/** Opens a real path and follows no link on the way. @returns a descriptor @throws the system's error */
export type ExactOpener = (path: AbsolutePath, flags: number) => number;

export class DocumentRoot implements StampedRoot {
  readonly path: AbsolutePath;
  readonly descriptorPaths: DescriptorPaths;
  readonly openExactly: ExactOpener | undefined;
  readonly stat: StatFn;
  readonly reach: Reach | undefined;
  readonly #options: DocumentRootOptions;
  readonly #turn: LoopTurn;
  /** Set where this root is a directory of another, which it must not leave. */
  readonly #parent: ParentRoot | undefined;
  #lookedUpIn: number | undefined;
  #state: RootState = MISSING;
  /** The last directory that was within reach. */
  #reached: ReachedDirectory | undefined;
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
    this.reach = options.reach;
    this.#turn = options.turn;
    this.#parent = parent;
  }

  /** Looked up at most once per turn (3 µs; with a sandbox 4). */
  state(): RootState {
    const turn = this.#turn.current();
    if (turn !== this.#lookedUpIn) {
      this.#lookedUpIn = turn;
      this.#state = this.#lookUp();
    }
    return this.#state;
  }

  /**
   * The real path to serve in this turn, without symbolic links.
   * @returns undefined when it is missing or out of reach; also when its name is not UTF-8: two such names may decode to
   *   the same text, so nothing could be proven to be below them
   */
  realPath(): AbsolutePath | undefined {
    const state = this.state();
    return state.kind === "present" || state.kind === "former" ? state.path : undefined;
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

  #lookUp(): RootState {
    if (this.#parent === undefined) return this.#lookUpAlone();

    const { root, name, linksAllowed } = this.#parent;
    const parent = root.state();
    if (parent.kind === "missing" || parent.kind === "out-of-reach") return parent;
    const ownPath = pathBelow(parent.path, name);
    const path = realDirectory(ownPath);
    if (path === undefined || !contains(parent.path, path)) return MISSING;
    return linksAllowed || path === ownPath ? { kind: parent.kind, path } : MISSING;
  }

  #lookUpAlone(): RootState {
    const path = realDirectory(this.path);
    if (path === undefined) return MISSING;
    if (this.reach === undefined) return { kind: "present", path };
    const found = this.stat(path, "follow");
    if (found === undefined) return MISSING;
    const former = this.#reached;
    if (former?.path === path && isSameDirectory(former, found)) return { kind: "present", path };
    if (this.reach.reads(path)) {
      this.#reached = { path, device: found.device, inode: found.inode };
      return { kind: "present", path };
    }
    this.reach.report(this.path);
    if (former === undefined) return OUT_OF_REACH;
    const formerNow = this.stat(former.path, "follow");
    if (formerNow === undefined || !isSameDirectory(former, formerNow)) return OUT_OF_REACH;
    return { kind: "former", path: former.path };
  }
}

interface ReachedDirectory extends Pick<FileStat, "device" | "inode"> {
  readonly path: AbsolutePath;
}

function isSameDirectory(known: ReachedDirectory, found: FileStat): boolean {
  return found.inode === known.inode && found.device === known.device;
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
