/**
 * What a confined process still reaches. A rule of Landlock belongs to the folder that had the name when the rule was
 * made, and rules cannot be added later. So a folder that was made again, that a link was turned to, or that a file system
 * was mounted on, is out of reach. stat(2) is not restricted: the process detects this and reports it.
 *
 *     first stage     makes the rules and notes the places that they allow    handOver
 *     second stage    compares what it has to serve with them                  takeOver, SandboxReach
 */
import { closeSync, constants, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { attempt } from "../base/errors.ts";
import type { Reach } from "../site/document-root.ts";
import { type AllowedPlace, MAY_READ, MAY_STORE } from "./landlock.ts";

const VARIABLE = "COMANCHE_ALLOWED";

/** Variables for the environment of the second stage. */
export function handOver(places: readonly AllowedPlace[]): NodeJS.ProcessEnv {
  return { [VARIABLE]: places.map(({ device, inode, access }) => `${device}:${inode}:${access}`).join(" ") };
}

/** Removes the variables. @returns undefined where no first stage made rules: everything is within reach */
export function takeOver(environment: NodeJS.ProcessEnv): readonly AllowedPlace[] | undefined {
  const text = environment[VARIABLE];
  delete environment[VARIABLE];
  if (text === undefined || text === "") return undefined;
  return text.split(" ").map((place) => {
    const [device = 0, inode = 0, access = 0] = place.split(":").map(Number);
    return { device, inode, access };
  });
}

export class SandboxReach implements Reach {
  readonly report: (place: AbsolutePath) => void;
  readonly #readable: ReadonlySet<string>;
  readonly #storable: ReadonlySet<string>;

  constructor(places: readonly AllowedPlace[], report: (place: AbsolutePath) => void) {
    this.report = report;
    this.#readable = keysOf(places, MAY_READ);
    this.#storable = keysOf(places, MAY_STORE);
  }

  reads(path: AbsolutePath): boolean {
    // Some file systems give a folder several numbers, so the kernel's word counts too. It alone is not enough: a folder
    // that may be searched but not listed cannot be opened either.
    return isBelow(path, this.#readable) || canList(path);
  }

  stores(path: AbsolutePath): boolean {
    return isBelow(path, this.#storable);
  }
}

function keysOf(places: readonly AllowedPlace[], wanted: number): ReadonlySet<string> {
  return new Set(places.filter(({ access }) => (access & wanted) === wanted).map(keyOf));
}

function keyOf({ device, inode }: Pick<AllowedPlace, "device" | "inode">): string {
  return `${device}:${inode}`;
}

/** As the kernel decides it: by the folder itself and each above it, of which those that are mounted over do not count. */
function isBelow(path: AbsolutePath, allowed: ReadonlySet<string>): boolean {
  const found = attempt(() => statSync(path));
  if (found !== undefined && allowed.has(keyOf({ device: found.dev, inode: found.ino }))) return true;
  return path !== "/" && isBelow(absolutePath(dirname(path)), allowed);
}

function canList(path: AbsolutePath): boolean {
  const opened = attempt(() => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY));
  if (opened !== undefined) closeSync(opened);
  return opened !== undefined;
}
