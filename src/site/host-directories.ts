/**
 * Virtual hosts by directory: `docbase/www.example.org/` is the site of that name while it exists. Sites are remembered
 * for their document roots; each turn checks again that they exist.
 */
import { opendirSync } from "node:fs";
import type { LoopTurn } from "../base/clock.ts";
import { isHostDirectoryName } from "../http/host.ts";
import type { DocumentRoot } from "./document-root.ts";
import type { Site, SiteDirectories, SiteRules } from "./site.ts";

// Clients choose the sites, but only among directories that exist; a server with more is merely slower.
const MAX_REMEMBERED_SITES = 1000;
// An unknown host is compared with each name: enough for a useful hint, too few to block the event loop.
const MAX_HINTS = 200;

export class HostDirectories implements SiteDirectories {
  readonly #docbase: DocumentRoot;
  readonly #rules: SiteRules;
  readonly #turn: LoopTurn;
  /** The least recently used first. */
  readonly #remembered = new Map<string, Site>();
  #namesReadIn: number | undefined;

  /** @param rules  of the main site: they apply to every directory */
  constructor(docbase: DocumentRoot, rules: SiteRules, turn: LoopTurn) {
    this.#docbase = docbase;
    this.#rules = rules;
    this.#turn = turn;
  }

  /**
   * The same object while the site is remembered. A name that no host can have is not looked up. While the docbase is out
   * of reach every other name has a site, which says so.
   */
  find(name: string): Site | undefined {
    if (!isHostDirectoryName(name)) return undefined;
    const site = this.#remembered.get(name) ?? this.#siteAt(name);
    this.#remembered.delete(name);
    const { kind } = site.root.state();
    if (kind === "missing") return undefined;
    if (kind !== "out-of-reach") this.#remember(site);
    return site;
  }

  /** At most once per turn, and only the first few: an unknown host must not cost more than a known one. */
  names(): readonly string[] {
    const turn = this.#turn.current();
    const realPath = this.#docbase.realPath();
    if (turn === this.#namesReadIn || realPath === undefined) return [];
    this.#namesReadIn = turn;
    try {
      return readHostNames(realPath);
    } catch {
      // A directory that can be searched but not read serves its sites; only the hint is missing.
      return [];
    }
  }

  #siteAt(name: string): Site {
    return { name, root: this.#docbase.child(name, this.#rules.symlinks), rules: this.#rules };
  }

  #remember(site: Site): void {
    this.#remembered.set(site.name, site);
    if (this.#remembered.size <= MAX_REMEMBERED_SITES) return;
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined) this.#remembered.delete(oldest);
  }
}

function readHostNames(path: string): readonly string[] {
  const names: string[] = [];
  const directory = opendirSync(path);
  try {
    for (let seen = 0; seen < MAX_HINTS; seen++) {
      const entry = directory.readSync();
      if (entry === null) break;
      if ((entry.isDirectory() || entry.isSymbolicLink()) && isHostDirectoryName(entry.name)) names.push(entry.name);
    }
  } finally {
    directory.closeSync();
  }
  return names;
}
