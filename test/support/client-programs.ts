/**
 * Programs that other people wrote, run to their end.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const PATIENCE_MS = 120_000;

/** For node:test's `skip`: of several programs the first that is not in the PATH; false when all are. */
export function notInstalled(...programs: readonly string[]): string | false {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const one = programs.find((program) => !folders.some((folder) => existsSync(join(folder, program))));
  return one === undefined ? false : `${one} is not installed`;
}

/**
 * Runs a program with nothing of our environment but PATH: no proxy, no settings of the user.
 *
 * @param home  its HOME and its working directory
 * @returns what it has written to standard output and standard error
 * @throws when it fails
 */
export function runProgram(home: string, program: string, ...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: home, XDG_CONFIG_HOME: home, LC_ALL: "C.UTF-8" };
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd: home, env, timeout: PATIENCE_MS }, (error, output, errors) => {
      if (error === null) resolve(output + errors);
      else reject(new Error(`${program} ${args.join(" ")}: ${error.message}\n${output}${errors}`, { cause: error }));
    });
  });
}
