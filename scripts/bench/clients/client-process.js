/**
 * Clients while they run: on cores of their own, and ended with the benchmark.
 */
import { spawn } from "node:child_process";
import { onCores } from "../cores.js";

const running = new Set();

export function spawnClient(cores, command, stdio) {
  const [program, ...words] = onCores(cores.client, command.map(String));
  const child = spawn(program, words, { stdio });
  running.add(child);
  child.once("close", () => running.delete(child));
  return child;
}

export function killAllClients() {
  for (const child of running) child.kill("SIGKILL");
}
