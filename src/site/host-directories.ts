/**
 * Virtual hosts by directory: `docbase/www.example.org/` is the site of that name, from the moment it is there until it is gone.
 *
 * Sites that were found are remembered, so that their document roots are; that they still exist is asked again in each turn.
 */
import { opendirSync } from "node:fs";
import type { LoopTurn } from "../base/clock.ts";
import { isHostDirectoryName } from "../http/host.ts";
import type { DocumentRoot } from "./document-root.ts";
import type { Site, SiteDirectories, SiteRules } from "./site.ts";

// Clients choose which sites are found, but only among directories that exist; a server with more is merely slower.
const MAX_REMEMBERED_SITES = 1000;

// Names are compared one by one with a host that is unknown: enough for a useful hint, too few to keep the loop busy.
const MAX_HINTS = 200;

export class HostDirectories implements SiteDirectories {
  readonly #docbase: DocumentRoot;
  readonly #rules: SiteRules;
  readonly #turn: LoopTurn;
  /** The one used longest ago first. */
  readonly #remembered = new Map<string, Site>();
  #namesReadIn: number | undefined;

  /** @param rules  of the main site: they hold for every directory */
  constructor(docbase: DocumentRoot, rules: SiteRules, turn: LoopTurn) {
    this.#docbase = docbase;
    this.#rules = rules;
    this.#turn = turn;
  }

  /** The same object for as long as the site is remembered. A name that cannot be a host's is not looked for. */
  find(name: string): Site | undefined {
    if (!isHostDirectoryName(name)) return undefined;
    const site = this.#remembered.get(name) ?? this.#siteAt(name);
    this.#remembered.delete(name);
    if (site.root.realPath() === undefined) return undefined;
    this.#remember(site);
    return site;
  }

  /** At most once in a turn, and only the first few: an unknown host must not cost more than a known one. */
  names(): readonly string[] {
    const turn = this.#turn.current();
    const realPath = this.#docbase.realPath();
    if (turn === this.#namesReadIn || realPath === undefined) return [];
    this.#namesReadIn = turn;
    try {
      return readHostNames(realPath);
    } catch {
      // A directory that may be searched and not read serves its sites; only the hint is missing.
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
