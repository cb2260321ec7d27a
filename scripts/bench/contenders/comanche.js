/**
 * Comanche, this checkout's build or another one to compare it with. Variant: `cacheValid`, a time.
 *
 * Only options that its own help lists are used, so an older build can be measured beside a newer one.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** @param dist  the folder of the build */
export function comanche(name, dist, root) {
  const main = join(dist, "src", "main.js");
  let help = "";
  return {
    name,
    /** @throws when there is no such build: without it there is nothing to measure */
    find() {
      if (!existsSync(main)) throw new Error(`no build of Comanche in ${dist}: npm run setup makes one in dist`);
      help = ask(main, "--help");
      return { kind: "found", path: process.execPath, version: `${ask(main, "--version")}${revision(root)}` };
    },
    lacks({ variant, processes }) {
      if (variant.cacheValid !== undefined && !help.includes("--cache-valid")) return "this build has no --cache-valid";
      if (processes > 1 && !help.includes("--processes")) return "this build has no --processes";
      return undefined;
    },
    plan({ program, folder, docs, port, processes, log, certificate, variant, connections, idleSeconds }) {
      const flags = [
        // A file that somebody has at home must not take part.
        ["-c", `${folder}/comanche.conf`],
        ["-d"],
        ["-q"],
        ["-a", "127.0.0.1"],
        ...portFlags(port, certificate),
        ["-b", docs],
        ...logFlags(log),
        ["-t", `${idleSeconds}s`],
        ["--keepalive-requests", 1e9],
        // Each process has an equal part of these: enough for all, as nginx's number is for each worker.
        ["--max-connections", processes * (Math.ceil(connections * 1.2) + 500)],
        ...(help.includes("--processes") ? [["-n", processes]] : []),
        ...(variant.cacheValid === undefined ? [] : [["--cache-valid", variant.cacheValid]]),
      ];
      return {
        command: [program, main, ...flags.flat().map(String)],
        files: { "comanche.conf": "" },
      };
    },
  };
}

/** There is always a plain port too. */
function portFlags(port, certificate) {
  if (certificate === undefined) return [["-p", port]];
  return [
    ["-p", 0],
    ["--tls-port", port],
    ["--tls-cert", certificate],
  ];
}

/** There is no option to write no log; the null device is nearest. */
function logFlags(log) {
  return log === undefined
    ? [["-l", "/dev/null"]]
    : [
        ["-l", log],
        ["--logformat", "combined"],
      ];
}

function ask(main, flag) {
  const { stdout } = spawnSync(process.execPath, [main, flag], { encoding: "utf8" });
  return stdout.trim();
}

function revision(root) {
  const { status, stdout } = spawnSync("git", ["-C", root, "describe", "--always", "--dirty=, changed"], {
    encoding: "utf8",
  });
  return status === 0 ? ` (${stdout.trim()})` : "";
}
