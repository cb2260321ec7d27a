/**
 * Where the document roots and upload directories led at earlier looks. A sandbox allows these places too, while they are
 * the same folders: a link that is turned back and forth between two releases then needs no new workers each time.
 */
import { realpathSync, statSync } from "node:fs";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { attempt } from "../base/errors.ts";

/** A folder, by its real path. The numbers tell it from one that is made there later. */
export interface Place {
  readonly path: AbsolutePath;
  readonly device: number;
  readonly inode: number;
}

/** For each name, where it leads now included. What a sandbox allows must not grow with every deployment. */
const MAX_PLACES = 4;

export class FormerPlaces {
  /** By the configured name, the latest first. */
  readonly #seen = new Map<AbsolutePath, readonly Place[]>();

  /** Notes where `name` leads now. @returns undefined when it leads to no folder */
  look(name: AbsolutePath): Place | undefined {
    const now = findPlace(name);
    if (now !== undefined) {
      const others = (this.#seen.get(name) ?? []).filter(({ path }) => path !== now.path);
      this.#seen.set(name, [now, ...others].slice(0, MAX_PLACES));
    }
    return now;
  }

  /** The other places to which `name` led, as far as they still are the same folders. */
  formerOf(name: AbsolutePath): readonly AbsolutePath[] {
    const now = findPlace(name);
    const others = (this.#seen.get(name) ?? []).filter(({ path }) => path !== now?.path);
    return others.filter(isStillThere).map(({ path }) => path);
  }
}

function findPlace(name: AbsolutePath): Place | undefined {
  return attempt(() => {
    const path = absolutePath(realpathSync.native(name));
    const found = statSync(path);
    return found.isDirectory() ? { path, device: found.dev, inode: found.ino } : undefined;
  });
}

function isStillThere({ path, device, inode }: Place): boolean {
  const now = findPlace(path);
  return now?.path === path && now.device === device && now.inode === inode;
}
