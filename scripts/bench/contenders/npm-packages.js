/**
 * File servers from npm, each on the node that runs this. They are installed into a folder of the user's cache, outside
 * the checkout, in the versions that stand here.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const VERSIONS = {
  "@fastify/static": "10.1.11",
  fastify: "5.12.8",
  "http-server": "14.1.1",
  "serve-handler": "6.1.8",
  sirv: "3.0.2",
};
const FOLDER = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "comanche-bench");
const STARTER = fileURLToPath(new URL("npm-starter.js", import.meta.url));

export const sirv = npmContender("sirv", "sirv");
export const serveHandler = npmContender("serve-handler", "serve-handler");
export const httpServer = npmContender("http-server", "http-server");
export const fastifyStatic = npmContender("@fastify/static", "@fastify/static");

function npmContender(name, packageName) {
  return {
    name,
    find() {
      const fault = install();
      if (fault !== undefined) return { kind: "missing", why: fault };
      return { kind: "found", path: process.execPath, version: VERSIONS[packageName] };
    },
    plan: ({ program, docs, port, idleSeconds }) => ({
      command: [program, STARTER, packageName, FOLDER, docs, String(port), String(idleSeconds)],
      environment: { NODE_ENV: "production" },
    }),
  };
}

/** What came of it, found out once: all packages are installed together. */
let outcome;

function install() {
  outcome ??= { fault: installOnce() };
  return outcome.fault;
}

/** @returns undefined, or why there are none */
function installOnce() {
  const wanted = `${JSON.stringify({ private: true, dependencies: VERSIONS }, null, 2)}\n`;
  const description = join(FOLDER, "package.json");
  const isDone = join(FOLDER, "node_modules", ".package-lock.json");
  if (existsSync(isDone) && readFileSync(description, "utf8") === wanted) return undefined;

  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(description, wanted);
  console.log(`installing ${Object.keys(VERSIONS).join(", ")} into ${FOLDER}`);
  const words = ["install", "--no-fund", "--no-audit", "--no-package-lock", "--ignore-scripts", "--loglevel=error"];
  const { status, stderr, error } = spawnSync("npm", words, { cwd: FOLDER, encoding: "utf8" });
  return status === 0 ? undefined : `npm install failed: ${error?.message ?? stderr.trim().split("\n")[0]}`;
}
