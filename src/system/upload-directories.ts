/**
 * The upload directories, made at start where they are missing: a worker in a sandbox can write to one that is there and
 * make none. They are made as the user who will write to them, so root is not led through that user's links.
 */
import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { errorCode } from "../base/errors.ts";
import { type Settings, type SiteSettings, servesSites } from "../config/settings.ts";
import { describeSystemError } from "../observe/thrown.ts";
import { runAs } from "./account.ts";
import type { PrivilegePlan } from "./privilege-plan.ts";

export interface UploadDirectory {
  /** The name of its site. */
  readonly site: string;
  /** As the worker will see it, so inside a chroot. */
  readonly path: AbsolutePath;
  readonly docbase: AbsolutePath;
  /** `directory`: uploads are stored in it. `tree`: each folder in it is a host that has an upload directory. */
  readonly kind: "directory" | "tree";
}

/** Where the sites of the settings store uploads. */
export function uploadDirectories(settings: Settings): readonly UploadDirectory[] {
  if (!servesSites(settings)) return [];
  const { server, main, virtualHosts } = settings;
  const mainPlace = placeOf("main", main);
  const isTree = server.virthost && !main.uploadDir.startsWith("/");
  const own: readonly (UploadDirectory | undefined)[] = [
    isTree && mainPlace !== undefined ? { ...mainPlace, path: main.docbase, kind: "tree" } : mainPlace,
    ...[...virtualHosts].map(([name, site]) => placeOf(name, site)),
  ];
  return own.filter((place) => place !== undefined);
}

function placeOf(site: string, { upload, uploadDir, docbase }: SiteSettings): UploadDirectory | undefined {
  if (upload === undefined) return undefined;
  const path = uploadDir.startsWith("/") ? uploadDir : join(docbase, uploadDir);
  return { site, path: absolutePath(path), docbase, kind: "directory" };
}

/**
 * Makes those that are missing, and the folders above them up to the docbase.
 *
 * @returns a line for each that could not be made; the server can do its other work without
 */
export function prepareUploadDirectories(settings: Settings, privileges: PrivilegePlan): readonly string[] {
  return uploadDirectories(settings)
    .filter(({ kind }) => kind === "directory")
    .flatMap(({ site, path, docbase }) => {
      const problem = runAs(privileges.account, () => {
        // A docbase is never made: where it is missing, the worker says so.
        return isThere(privileges.chroot, docbase) ? makeDirectory(privileges.chroot, path) : undefined;
      });
      return problem === undefined ? [] : [`uploads of ${site} cannot be stored: ${path}: ${problem}`];
    });
}

function isThere(chroot: AbsolutePath | undefined, docbase: AbsolutePath): boolean {
  try {
    return statSync(outsidePath(chroot, docbase)).isDirectory();
  } catch {
    return false;
  }
}

/** @returns why it could not be made */
function makeDirectory(chroot: AbsolutePath | undefined, path: AbsolutePath): string | undefined {
  try {
    const place = outsidePath(chroot, path);
    const made = mkdirSync(place, { recursive: true });
    if (made === undefined) {
      return statSync(place).isDirectory() ? undefined : "it is not a directory";
    }
    syncDirectory(join(made, ".."));
    return undefined;
  } catch (error) {
    return describeSystemError(error);
  }
}

/** Else a crash of the machine could take the new directory away with all that is in it. */
function syncDirectory(path: string): void {
  try {
    const directory = openSync(path, "r");
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  } catch {
    // It may only be searched, or its file system flushes by itself: then the system chooses the time.
  }
}

const MAX_LINKS = 40;

/**
 * Where a path inside a chroot lies outside: links and `..` are followed as they will be inside, where `/` is the chroot.
 * A missing name is kept. @throws what the system says, such as ELOOP
 */
export function outsidePath(chroot: AbsolutePath | undefined, path: AbsolutePath): AbsolutePath {
  if (chroot === undefined) return path;
  const names = path.split("/");
  let links = 0;
  let inside: string[] = [];
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      inside.pop();
      continue;
    }
    const target = readLink(join(chroot, ...inside, name));
    if (target === undefined) {
      inside.push(name);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) throw new Error(`too many symbolic links in ${path}`);
    if (target.startsWith("/")) inside = [];
    names.unshift(...target.split("/"));
  }
  return absolutePath(join(chroot, ...inside));
}

/** @returns where it leads; undefined for what is no link or not there */
function readLink(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
