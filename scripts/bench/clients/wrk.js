/**
 * wrk, the client of all rows of small answers: starts it on its cores and reads what it counted.
 *
 * A run with any error is void, and so is one whose answers have another length than those that were checked: wrk looks at
 * neither the body nor, below 400, the status.
 */
import { fileURLToPath } from "node:url";
import { HOST } from "../server-process.js";
import { spawnClient } from "./client-process.js";

/** More than any contender writes before a body. */
const MOST_HEAD_BYTES = 800;

/**
 * @param load  `path` or `script`; `connections`; `fields` of the request, undefined or a list of name and value
 * @returns `{ kind: "counted", … }` or `{ kind: "void", why }`
 */
export async function runWrk({ port, load, cores, seconds, bodyBytes }) {
  const words = planWrk({ port, load, threads: cores.client.length, seconds });
  const { code, output } = await outputOf(spawnClient(cores, words, ["ignore", "pipe", "pipe"]));
  if (code !== 0) throw new Error(`wrk ended with ${code}: ${output.trim().split("\n").at(-1)}`);
  return judgeWrk(output, { bodyBytes, connections: load.connections });
}

function planWrk({ port, load, threads, seconds }) {
  const script = fileURLToPath(new URL(load.script ?? "report.lua", import.meta.url));
  return [
    "wrk",
    `-t${Math.min(threads, load.connections)}`,
    `-c${load.connections}`,
    `-d${seconds}s`,
    ...["-s", script],
    ...(load.fields ?? []).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
    `${load.isTls ? "https" : "http"}://${HOST}:${port}${load.path ?? "/"}`,
  ];
}

function judgeWrk(output, { bodyBytes, connections }) {
  const line = /^bench (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk printed no count: ${output.trim().split("\n").at(-1)}`);
  const { requests, microseconds, bytes, p50, p99, ...errors } = JSON.parse(line);
  const faults = Object.entries(errors).filter(([, count]) => count > 0);
  if (faults.length > 0)
    return { kind: "void", why: `wrk: ${faults.map(([name, count]) => `${count} ${name} errors`)}` };
  if (requests === 0) return { kind: "void", why: "wrk: no answer at all" };

  const mean = bytes / requests;
  // Answers that had begun when the time was up are in the bytes, but not in the count.
  const most = bodyBytes + MOST_HEAD_BYTES + (connections * bodyBytes) / requests;
  if (mean < bodyBytes || mean > most) {
    return { kind: "void", why: `${Math.round(mean)} bytes an answer: expected a body of ${bodyBytes} and its head` };
  }
  return { kind: "counted", requests, seconds: microseconds / 1e6, bytes, p50: p50 / 1000, p99: p99 / 1000 };
}

function outputOf(child) {
  return new Promise((resolve, reject) => {
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}
