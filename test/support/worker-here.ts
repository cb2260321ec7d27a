/**
 * A worker in this very process, with sockets of its own: what a primary gives and a worker process does, without either.
 */
import type { Settings } from "../../src/config/settings.ts";
import { listenSpecs, Sockets } from "../../src/primary/sockets.ts";
import { openTaskThreads, startWorker, type Worker, type WorkerLogs } from "../../src/worker/serve.ts";

export async function startWorkerHere(settings: Settings, logs: WorkerLogs): Promise<Worker> {
  // The descriptors are the worker's from now on, so the sockets are not closed as well, unless it fails.
  const choice = await new Sockets().choose(listenSpecs(settings), settings.server.socketMode);
  try {
    const pool = await openTaskThreads(settings, logs.events);
    return await startWorker({
      settings,
      logs,
      sockets: choice.sockets,
      tls: new Map(),
      backends: new Map(),
      pool,
      send: () => undefined,
    });
  } catch (error) {
    choice.cancel();
    throw error;
  }
}
