/**
 * Small files whole in memory. An entry is trusted only within the turn in which its name was last seen to lead to the
 * same, unchanged file. So requests that arrive together share one look at the disk, and a later turn never serves a
 * changed file. With `cache-valid` an entry is trusted for that time instead.
 */
import type { Clock, LoopTurn } from "../base/clock.ts";
import { type Bytes, type Milliseconds, milliseconds } from "../base/units.ts";
import type { FileFacts, ResponsePlan } from "../http/response-plan.ts";
import { type FileStamp, isStillCurrent } from "./file-stamp.ts";
import type { Site } from "./site.ts";

/** The content codings in which a file is kept (RFC 9110 §8.4.1). */
type KeptCoding = "identity";
/** All variants are made from the bytes that the one stamp describes. */
export type CachedFile = Readonly<Record<KeptCoding, CachedVariant>>;

/** A file in one coding. */
export interface CachedVariant {
  /** Each coding has its own length and entity tag (RFC 9110 §8.8.3.3). */
  readonly facts: FileFacts;
  /** Becomes the end of the finished message once there is one: the content is in memory only once. */
  bytes: Uint8Array;
  /** For every unconditional GET that accepts this coding; planned with the first of them. */
  plan?: ResponsePlan;
  /** For every client that asks whether its version is still the present one. */
  notModified?: ResponsePlan;
}

interface Entry {
  readonly site: Site;
  readonly path: string;
  readonly file: CachedFile;
  readonly stamp: FileStamp;
  /** Since it was last considered for removal. */
  wasUsed: boolean;
  lastSeenIn: number;
  trustedUntil: Milliseconds;
}

export interface FileCacheLimits {
  /** All entries together; 0 caches nothing. */
  readonly maxBytes: Bytes;
  /** One file. */
  readonly maxFile: Bytes;
  /** How long an entry is trusted without a look at the disk; zero: only within the turn. */
  readonly valid: Milliseconds;
}

/** Memory per entry beside its content: facts, strings, places in maps, the head of its finished message. */
const ENTRY_OVERHEAD = 1536;

export class FileCache {
  readonly #limits: FileCacheLimits;
  readonly #turn: LoopTurn;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #sites = new Map<Site, Map<string, Entry>>();
  /** Every entry, in the order in which they are considered for removal. */
  readonly #queue = new Set<Entry>();
  #bytes = 0;

  constructor(limits: FileCacheLimits, turn: LoopTurn, clock: Pick<Clock, "monotonic">) {
    this.#limits = limits;
    this.#turn = turn;
    this.#clock = clock;
  }

  get maxFile(): Bytes {
    return this.#limits.maxFile;
  }

  /** Whether a file of that size is meant to be kept: then it is read whole. Never depends on what is kept now. */
  admits(size: Bytes): boolean {
    return this.#limits.maxBytes > 0 && size <= this.#limits.maxFile;
  }

  /** @param path  in canonical form (`formatSitePath`); any other spelling is not found */
  lookup(site: Site, path: string): CachedFile | undefined {
    const entry = this.#sites.get(site)?.get(path);
    if (entry === undefined) return undefined;
    const turn = this.#turn.current();
    if (entry.lastSeenIn === turn || this.#isTrusted(entry)) return entry.file;
    if (!isStillCurrent(site.root, entry.stamp)) {
      this.#remove(entry);
      return undefined;
    }
    entry.lastSeenIn = turn;
    entry.trustedUntil = this.#trustUntil();
    entry.wasUsed = true;
    return entry.file;
  }

  /** For a file that was opened and read in this turn. One that is larger than the whole cache is not kept. */
  store(site: Site, path: string, file: CachedFile, stamp: FileStamp): void {
    if (costOf(file.identity.bytes.length) > this.#limits.maxBytes) return;
    const paths = this.#pathsOf(site);
    const former = paths.get(path);
    if (former !== undefined) this.#remove(former);
    const entry: Entry = {
      site,
      path,
      file,
      stamp,
      wasUsed: false,
      lastSeenIn: this.#turn.current(),
      trustedUntil: this.#trustUntil(),
    };
    this.#pathsOf(site).set(path, entry);
    this.#queue.add(entry);
    this.#bytes += costOf(file.identity.bytes.length);
    this.#shrink();
  }

  /** Makes `path` another name of the entry at `target`, if there is one. */
  alias(site: Site, path: string, target: string): void {
    const entry = this.#sites.get(site)?.get(target);
    if (entry !== undefined && !this.#pathsOf(site).has(path)) this.store(site, path, entry.file, entry.stamp);
  }

  #isTrusted({ trustedUntil }: Entry): boolean {
    return this.#limits.valid > 0 && this.#clock.monotonic() < trustedUntil;
  }

  #trustUntil(): Milliseconds {
    return this.#limits.valid === 0 ? this.#limits.valid : milliseconds(this.#clock.monotonic() + this.#limits.valid);
  }

  #pathsOf(site: Site): Map<string, Entry> {
    const known = this.#sites.get(site);
    if (known !== undefined) return known;
    const paths = new Map<string, Entry>();
    this.#sites.set(site, paths);
    return paths;
  }

  #shrink(): void {
    // Second chance: an entry that was used meanwhile moves to the end instead. So a use costs only a mark.
    for (const entry of this.#queue) {
      if (this.#bytes <= this.#limits.maxBytes) return;
      if (entry.wasUsed) {
        entry.wasUsed = false;
        this.#queue.delete(entry);
        this.#queue.add(entry);
      } else {
        this.#remove(entry);
      }
    }
  }

  #remove(entry: Entry): void {
    this.#queue.delete(entry);
    this.#bytes -= costOf(entry.file.identity.bytes.length);
    const paths = this.#sites.get(entry.site);
    paths?.delete(entry.path);
    if (paths?.size === 0) this.#sites.delete(entry.site);
  }
}

function costOf(size: number): number {
  return size + ENTRY_OVERHEAD;
}
