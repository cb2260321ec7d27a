/**
 * Entry of the worker processes. Where there is a sandbox the program begins twice in one process: first to confine
 * itself, then, in what `execve` makes of it, to serve. Each time only what is needed is loaded.
 */
import { takeStage } from "./worker/messages.ts";

if (takeStage(process.env) === "confine") {
  const { confineWorker } = await import("./worker/confine-worker.ts");
  await confineWorker();
} else {
  const { runWorker } = await import("./worker/controller.ts");
  runWorker();
}
