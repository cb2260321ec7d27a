/**
 * Finds the program of a contender and asks it for its version.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Servers are installed where an ordinary user's PATH does not lead. */
const FURTHER_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

export function findProgram(name) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...FURTHER_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * @param words    what makes the program print its version, on either output
 * @param pattern  finds the version in that
 * @returns `{ kind: "found", path, version }` or `{ kind: "missing", why }`
 */
export function findVersion(name, words, pattern) {
  const path = findProgram(name);
  if (path === undefined) return { kind: "missing", why: `no program ${name}` };
  const { stdout, stderr } = spawnSync(path, words, { encoding: "utf8" });
  const version = pattern.exec(`${stdout}${stderr}`)?.[1];
  if (version === undefined) return { kind: "missing", why: `${path} ${words.join(" ")} prints no version` };
  return { kind: "found", path, version };
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
