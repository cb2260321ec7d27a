/**
 * The server under trial: a process in the foreground on a free port of 127.0.0.1, and what the kernel says of it.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PATIENCE_MS = 20_000;

export class Server {
  pid;
  port;
  #child;
  #ended;
  #output = "";

  /** @throws with what it printed, when it ends or stays silent instead of printing its address */
  static start(trial, { flags = [], nodeFlags = [], environment = {} } = {}) {
    const { main, folder, htdocs } = trial;
    const configuration = join(folder, "comanche.conf");
    writeFileSync(configuration, "");
    const place = ["-d", "-c", configuration, "-a", "127.0.0.1", "-p", "0", "-b", htdocs, "-l", "/dev/null"];
    const url = /http:\/\/127\.0\.0\.1:(\d+)\//;
    return Server.#launch(trial, [...nodeFlags, main, ...place, ...flags], url, environment);
  }

  /** `comanche tls` on a free port of 127.0.0.1. @param args  with backend and PEM file */
  static startTerminator(trial, args) {
    const front = ["tls", "--frontend", "127.0.0.1,0"];
    return Server.#launch(trial, [trial.main, ...front, ...args], /TLS at 127\.0\.0\.1:(\d+) /, {});
  }

  static async #launch({ folder, defer }, args, address, environment) {
    const server = new Server();
    server.#child = spawn(process.execPath, args, {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    server.pid = server.#child.pid;
    server.#ended = new Promise((resolve) =>
      server.#child.once("close", (status, signal) => resolve({ status, signal })),
    );
    defer(() => server.killAll());
    server.port = await server.#portPrinted(address);
    return server;
  }

  /** @param address  what it says of itself, and in it its port */
  #portPrinted(address) {
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`the server ${why}; it printed: ${this.#output}`));
      const timer = setTimeout(() => fail(`printed no address in ${PATIENCE_MS} ms`), PATIENCE_MS);
      this.#ended.then(({ status }) => fail(`ended with ${status}`));
      for (const stream of [this.#child.stdout, this.#child.stderr]) {
        stream.setEncoding("utf8").on("data", (text) => {
          this.#output += text;
          const found = address.exec(this.#output);
          if (found === null) return;
          clearTimeout(timer);
          resolve(Number(found[1]));
        });
      }
    });
  }

  /** Everything it has printed. */
  get output() {
    return this.#output;
  }

  get isRunning() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The first process and all its descendants, the first one first. */
  processes() {
    return this.isRunning ? processTree(this.pid) : [];
  }

  /** Lets it finish; resolves with how it ended. */
  async stop() {
    if (this.isRunning) this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.killAll(), PATIENCE_MS);
    const end = await this.#ended;
    clearTimeout(timer);
    return end;
  }

  killAll() {
    kill(this.processes());
  }

  /** Resolves when the first process has gone. */
  get ended() {
    return this.#ended;
  }

  /** Of all its processes together, in seconds; told to a hundredth. */
  processorTime() {
    let ticks = 0;
    for (const pid of this.processes()) {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      // After the name, which may hold anything: utime and stime are the fields 14 and 15 of proc(5).
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    }
    return ticks / 100;
  }

  /** Of all its processes together, in MiB: resident now, and the sum of the highest each ever had. */
  memory() {
    let resident = 0;
    let highest = 0;
    for (const pid of this.processes()) {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      resident += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
      highest += Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    }
    return { resident: resident / 1024, highest: highest / 1024 };
  }
}

export function kill(pids) {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }
}

/** Resolves when none of these processes runs any more. @throws when some go on running, after it has ended them */
export async function gone(pids) {
  const began = performance.now();
  for (let left = pids; ; left = left.filter(isAlive)) {
    if (left.length === 0) return;
    if (performance.now() > began + PATIENCE_MS) {
      kill(left);
      throw new Error(`still running after ${PATIENCE_MS} ms: ${left.join(", ")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function isAlive(pid) {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function processTree(pid) {
  const pids = [pid];
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean);
      for (const child of children) pids.push(...processTree(Number(child)));
    }
  } catch {
    // It ended while it was looked at.
  }
  return pids;
}
