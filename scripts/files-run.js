/**
 * Which files of `src` run because of one request: a GET of a file that is not in memory, the same GET again, and a third
 * time, when its answer is finished. Counted in the primary and in one worker process, against what runs by itself.
 *
 *     node scripts/files-run.js        how many files and functions
 *     node scripts/files-run.js -v     and which
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { Session } from "node:inspector";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

const SELF = fileURLToPath(import.meta.url);
const MAIN = join(dirname(dirname(SELF)), "dist", "src", "main.js");
const CODE = "/dist/src/";
/** Longer than what follows a request later: a batch of the access log is written after one second. */
const AFTERMATH_MS = 1500;

if (process.env.FILES_RUN === undefined) await measure(process.argv.includes("-v"));
else if (isMainThread) watch(process.env.FILES_RUN);

/** In each process of the server: writes down what has run since the last time whenever `folder` holds the next order. */
function watch(folder) {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  let turn = 0;
  setInterval(() => {
    if (!existsSync(join(folder, `order-${turn}`))) return;
    session.post("Profiler.takePreciseCoverage", (_, { result }) => {
      const ran = result
        .filter(({ url }) => url.includes(CODE))
        .flatMap(({ url, functions }) => {
          const names = functions.filter(({ ranges }) => ranges[0].count > 0).map(({ functionName }) => functionName);
          return names.map((name) => `${url.split(CODE)[1].replace(/js$/, "ts")} ${name}`);
        });
      writeFileSync(join(folder, `ran-${turn}-${process.pid}`), JSON.stringify(ran));
      turn += 1;
    });
  }, 20).unref();
}

async function measure(isVerbose) {
  const folder = mkdtempSync(join(tmpdir(), "files-run-"));
  mkdirSync(join(folder, "htdocs"));
  for (const name of ["warm.txt", "file.txt"]) {
    writeFileSync(join(folder, "htdocs", name), "content");
    utimesSync(join(folder, "htdocs", name), 1, 1);
  }
  const options =
    "--no-daemon -a 127.0.0.1 -p 0 --processes 1 --sandbox no -b htdocs -l access.log --pidfile pid".split(" ");
  const env = { ...process.env, FILES_RUN: folder, NODE_OPTIONS: `--import ${SELF}` };
  const server = spawn(process.execPath, [MAIN, ...options], {
    cwd: folder,
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    const port = await portOf(server.stderr);
    for (let times = 0; times < 3; times += 1) await get(port, "/warm.txt");
    let turn = 0;
    const ran = async (request = async () => undefined) => {
      await request();
      await setTimeout(AFTERMATH_MS);
      writeFileSync(join(folder, `order-${turn}`), "");
      await setTimeout(500);
      const files = readdirSync(folder).filter((name) => name.startsWith(`ran-${turn}-`));
      turn += 1;
      return new Set(files.flatMap((name) => JSON.parse(readFileSync(join(folder, name), "utf8"))));
    };
    await ran();
    const anyway = await ran();
    for (const name of ["not in memory", "in memory", "finished"]) {
      const functions = [...(await ran(() => get(port, "/file.txt")))].filter((one) => !anyway.has(one));
      const names = [...new Set(functions.map((one) => one.split(" ")[0]))].sort();
      console.log(`GET of a file, ${name}: ${names.length} files, ${functions.length} functions`);
      if (isVerbose) for (const file of names) console.log(`  ${file}`);
    }
  } finally {
    server.kill();
    await once(server, "exit");
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The port in the first line that the server prints. */
async function portOf(output) {
  let printed = "";
  for (;;) {
    const [chunk] = await once(output, "data", { signal: AbortSignal.timeout(20_000) });
    printed += chunk;
    const [, port] = /http:\/\/127\.0\.0\.1:(\d+)/.exec(printed) ?? [];
    if (port !== undefined) return Number(port);
  }
}

async function get(port, path) {
  const client = connect(port, "127.0.0.1");
  client.end(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  client.resume();
  await once(client, "close");
}
