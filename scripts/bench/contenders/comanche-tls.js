/**
 * `comanche tls`: the terminator of a build of Comanche. It serves no files of its own.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** @param dist  the folder of the build */
export function comancheTls(name, dist) {
  const main = join(dist, "src", "main.js");
  return {
    name,
    find() {
      const { stdout } = spawnSync(process.execPath, [main, "tls", "--help"], { encoding: "utf8" });
      // A build without it prints the help of the server.
      if (!stdout.includes("--frontend")) return { kind: "missing", why: "this build has no terminator" };
      const version = spawnSync(process.execPath, [main, "--version"], { encoding: "utf8" }).stdout.trim();
      return { kind: "found", path: process.execPath, version };
    },
    plan({ program, port, backendPort, processes, certificate, connections, idleSeconds }) {
      const flags = [
        ["--frontend", `127.0.0.1,${port}`],
        ["--backend", `127.0.0.1,${backendPort}`],
        ["--workers", processes],
        ["--backlog", 4096],
        ["--max-connections", processes * (Math.ceil(connections * 1.2) + 500)],
        ["--idle-timeout", `${idleSeconds}s`],
        ["--quiet"],
      ];
      return { command: [program, main, "tls", ...flags.flat().map(String), certificate] };
    },
  };
}
