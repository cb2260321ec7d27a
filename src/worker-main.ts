/**
 * Entry of the worker processes. With a sandbox the program runs twice in one process: first to confine itself, then,
 * after `execve`, to serve. Each stage loads only what it needs.
 */
import { takeStage } from "./worker/messages.ts";

if (takeStage(process.env) === "confine") {
  const { confineWorker } = await import("./worker/confine-worker.ts");
  await confineWorker();
} else {
  const { runWorker } = await import("./worker/controller.ts");
  runWorker();
}
