/**
 * Entry of the worker processes. Where there is a sandbox the program begins twice in one process: first to confine
 * itself, then, in what `execve` makes of it, to serve. Each time only what is needed is loaded.
 */
import { takeStage } from "./process/worker-stage.ts";

if (takeStage(process.env) === "confine") {
  const { confineWorker } = await import("./process/confine-worker.ts");
  await confineWorker();
} else {
  const { runWorker } = await import("./process/worker-life.ts");
  runWorker();
}
