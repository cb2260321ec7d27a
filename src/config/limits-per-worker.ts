/**
 * How many processes serve, and each one's share of the server's threads, waiting tasks, connections and file memory.
 *
 * `connections-per-client` stays whole: a process sees only its own connections, and a client whose connections meet one
 * process would otherwise be refused too early.
 */
import { bytes } from "../base/units.ts";
import { type Settings, servesSites } from "./settings.ts";

/** The most that the option can be set to. */
const MAX_PROCESSES = 256;

/** `auto` is one for each core, as far as each has a thread and may take a connection. */
export function decideProcesses(
  setting: number | "auto",
  cores: number,
  threads: number,
  maxConnections: number,
): number {
  if (setting !== "auto") return setting;
  return Math.max(1, Math.min(cores, threads, maxConnections, MAX_PROCESSES));
}

/** The share of one part, whose `index` counts from 0; the first parts have one more where it does not divide evenly. */
export function shareOut(total: number, parts: number, index: number): number {
  return Math.floor(total / parts) + (index < total % parts ? 1 : 0);
}

/** The most connections of clients that there may be at a time, whatever they are for. */
export function connectionsWanted(settings: Pick<Settings, "server" | "terminators">): number {
  const ofSites = servesSites(settings) ? settings.server.maxConnections : 0;
  return [...settings.terminators.values()].reduce((sum, { maxConnections }) => sum + maxConnections, ofSites);
}

/** The same settings with at most `most` connections in all, but at least one for the sites and for each terminator. */
export function withFewerConnections(settings: Settings, most: number): Settings {
  const wanted = connectionsWanted(settings);
  if (wanted <= most) return settings;
  // Beside the one that each has, of what is left the same part of what it wants.
  const users = settings.terminators.size + (servesSites(settings) ? 1 : 0);
  const left = Math.max(0, most - users);
  const rest = Math.max(1, wanted - users);
  return withConnections(settings, (count) => 1 + Math.floor(((count - 1) * left) / rest));
}

function withConnections(settings: Settings, change: (count: number) => number): Settings {
  const { server, terminators } = settings;
  const changed = [...terminators].map(
    ([name, each]) => [name, { ...each, maxConnections: change(each.maxConnections) }] as const,
  );
  return {
    ...settings,
    server: { ...server, maxConnections: change(server.maxConnections) },
    terminators: new Map(changed),
  };
}

/** The settings as the worker process `index` of `count` is to keep them; `index` counts from 0. */
export function settingsForWorker(settings: Settings, index: number, count: number): Settings {
  // Of a limit below the number of processes each gets one: else it could not serve at all.
  const shared = withConnections(settings, (total) => Math.max(1, shareOut(total, count, index)));
  const { server } = shared;
  const cacheSize = bytes(shareOut(server.cacheSize, count, index));
  return {
    ...shared,
    server: {
      ...server,
      workers: shareOut(server.workers, count, index),
      queue: shareOut(server.queue, count, index),
      cacheSize,
      // Of the memory of all: which files are read whole, and so their entity tags, must not depend on the number of cores.
      cacheFile: server.cacheSize === 0 ? server.cacheFile : bytes(Math.min(server.cacheFile, server.cacheSize)),
    },
  };
}
