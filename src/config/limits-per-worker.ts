/**
 * How many processes serve, and what each of them gets of the limits that are meant for the whole server.
 *
 * Threads, waiting tasks, connections and the memory for files are shared out, so that all processes together have what
 * the settings say. `connections-per-client` stays whole in each: a process sees only its own connections, and a client
 * whose connections meet one process would otherwise be refused too early.
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

/**
 * The share of one part: as even as whole numbers can be, the first parts have one more where it does not come out even.
 *
 * @param index  from 0
 */
export function shareOut(total: number, parts: number, index: number): number {
  return Math.floor(total / parts) + (index < total % parts ? 1 : 0);
}

/** The most connections of clients that there may be at a time, whatever they are for. */
export function connectionsWanted(settings: Pick<Settings, "server" | "terminators">): number {
  const ofSites = servesSites(settings) ? settings.server.maxConnections : 0;
  return [...settings.terminators.values()].reduce((sum, { maxConnections }) => sum + maxConnections, ofSites);
}

/**
 * The same settings with fewer connections, so that together there are no more than `most`; but everybody keeps one, however
 * few there may be.
 */
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
      // No file that is larger than the whole memory can be kept.
      cacheFile: cacheSize === 0 ? server.cacheFile : bytes(Math.min(server.cacheFile, cacheSize)),
    },
  };
}
