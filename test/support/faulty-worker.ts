/**
 * Loaded into a server's processes with `NODE_OPTIONS=--import=…`: lets worker processes fail as the variable FAULTY_WORKER
 * says, from the moment on that the file exists which FAULTY_FILE names. The primary is not touched.
 */
import { existsSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

const { FAULTY_WORKER: fault, FAULTY_FILE: mark } = process.env;
const isWorker = isMainThread && process.argv[1]?.endsWith("worker-main.js") === true;

/** A listener in the first of its two beginnings would take its orders from it. */
const isServing = process.env.COMANCHE_WORKER === "serve";

if (isWorker && mark !== undefined && existsSync(mark)) {
  switch (fault) {
    case "throws before it is loaded":
      throw new Error("a fault on purpose");
    case "exits":
      process.exit(7);
      break;
    case "is killed":
      process.kill(process.pid, "SIGKILL");
      break;
    case "throws when it serves":
      if (isServing) process.on("message", (message) => isStart(message) && setTimeout(throwFault, 300));
      break;
    case "runs out of memory":
      if (isServing) process.on("message", (message) => isStart(message) && setImmediate(useAllMemory));
      break;
    case "is silent":
      // Neither an answer nor an end.
      for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  }
}

function isStart(message: unknown): boolean {
  return typeof message === "object" && message !== null && "kind" in message && message.kind === "start";
}

function throwFault(): never {
  throw new Error("a fault on purpose");
}

function useAllMemory(): void {
  const all: string[][] = [];
  for (;;) all.push(Array.from({ length: 100_000 }, (_, index) => `${index}`));
}
