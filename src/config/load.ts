/**
 * Loading the settings: finds and reads the configuration file, and joins it with the flags.
 */
import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { attempt, errorCode } from "../base/errors.ts";
import { buildSettings } from "./build-settings.ts";
import { fileFault, flagFault, quote } from "./fault.ts";
import { type FileContent, NO_FILE, readSections } from "./file-sections.ts";
import { parseIniFile } from "./ini-file.ts";
import type { Entry, Layer } from "./layer.ts";
import type { Situation } from "./options.ts";
import type { SettingsResult } from "./settings.ts";

type ReadResult =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "missing" }
  /** `reason` completes the sentence "cannot be read: …". */
  | { readonly kind: "unreadable"; readonly reason: string };

/** What loading the settings needs to know of the disk. */
export interface ConfigDisk {
  read(path: AbsolutePath): ReadResult;
  isFolder(path: AbsolutePath): boolean;
}

export const realDisk: ConfigDisk = {
  read(path) {
    try {
      return { kind: "bytes", bytes: readFileSync(path) };
    } catch (error) {
      return explainUnreadable(error);
    }
  },
  isFolder: (path) => attempt(() => statSync(path).isDirectory()) ?? false,
};

export interface LoadInput {
  /** The flags of the command line: their text by key. */
  readonly layer: ReadonlyMap<string, string>;
  /** As given with `--config`; without it the usual places are tried. */
  readonly configFile?: string | undefined;
  readonly cwd: AbsolutePath;
  readonly starter: Pick<Situation, "isRoot">;
  readonly disk?: ConfigDisk;
}

/** Tried in this order, relative to the working directory. */
const CONFIG_FILES = ["conf/comanche.conf", "/usr/local/etc/comanche.conf", "/etc/comanche.conf"] as const;

/** Every fault of file and flags at once; never throws because of what they hold. */
export function loadSettings({ layer, configFile, cwd, starter, disk = realDisk }: LoadInput): SettingsResult {
  const found = findFile(configFile, cwd, disk);
  const base = found.path === undefined ? undefined : baseFolder(found.path);
  return buildSettings({
    flags: layerOfFlags(layer, cwd),
    file: found.content,
    situation: { isRoot: starter.isRoot, htdocs: chooseHtdocs(base, cwd, disk) },
    configFile: found.path,
  });
}

/** The flags as a layer: their relative paths are relative to the working directory. */
export function layerOfFlags(flags: ReadonlyMap<string, string>, cwd: AbsolutePath): Layer {
  const toEntry = ([key, text]: [string, string]): [string, Entry] => [
    key,
    { key, text, origin: { kind: "flag" }, folder: cwd },
  ];
  return new Map([...flags].map(toEntry));
}

/** What a path in the file is relative to: its folder, or the one above when that is called `conf`. */
export function baseFolder(configFile: AbsolutePath): AbsolutePath {
  const folder = dirname(configFile);
  return absolutePath(basename(folder) === "conf" ? dirname(folder) : folder);
}

interface FoundFile {
  readonly path: AbsolutePath | undefined;
  readonly content: FileContent;
}

function findFile(wanted: string | undefined, cwd: AbsolutePath, disk: ConfigDisk): FoundFile {
  for (const name of wanted === undefined ? CONFIG_FILES : [wanted]) {
    const path = absolutePath(resolve(cwd, name));
    const result = disk.read(path);
    switch (result.kind) {
      case "bytes": {
        const document = parseIniFile(result.bytes, name);
        const content = readSections(document, { name, folder: baseFolder(path) });
        return { path, content: { ...content, faults: [...document.faults, ...content.faults] } };
      }
      case "unreadable":
        return onlyFault(`cannot be read: ${result.reason}`, wanted, name);
      case "missing":
        if (wanted !== undefined) return onlyFault("no such file: expected a configuration file", wanted, name);
    }
  }
  return { path: undefined, content: NO_FILE };
}

function onlyFault(problem: string, wanted: string | undefined, name: string): FoundFile {
  const isFlag = wanted !== undefined;
  const fault = isFlag ? flagFault(`--config=${quote(wanted)}`, problem) : fileFault({ file: name, line: 0 }, problem);
  return { path: undefined, content: { ...NO_FILE, faults: [fault] } };
}

function chooseHtdocs(base: AbsolutePath | undefined, cwd: AbsolutePath, disk: ConfigDisk): AbsolutePath {
  const beside = base === undefined ? undefined : absolutePath(join(base, "htdocs"));
  return beside !== undefined && disk.isFolder(beside) ? beside : absolutePath(join(cwd, "htdocs"));
}

function explainUnreadable(error: unknown): ReadResult {
  switch (errorCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return { kind: "missing" };
    case "EACCES":
    case "EPERM":
      return { kind: "unreadable", reason: "no permission" };
    case "EISDIR":
      return { kind: "unreadable", reason: "it is a folder" };
    default:
      return { kind: "unreadable", reason: error instanceof Error ? error.message : String(error) };
  }
}
