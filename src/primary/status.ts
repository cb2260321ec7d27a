/** Status lines of the event log: on request, and periodically while the server is busy. */
import { formatHumanSize } from "../base/human-size.ts";
import { bytes, type UnixMilliseconds } from "../base/units.ts";
import type { Events } from "../observe/log.ts";
import { formatPoolStatus, isStatusNews, type PoolState } from "../tasks/overload.ts";
import type { TunnelCounts } from "../tunnel/tunnels.ts";
import type { WorkerReport } from "../worker/messages.ts";

/** Of all processes together. */
export function sumPools(reports: readonly WorkerReport[]): PoolState {
  const pools = reports.flatMap(({ pool }) => (pool === undefined ? [] : [pool]));
  const sum = (read: (pool: PoolState) => number): number => pools.reduce((total, pool) => total + read(pool), 0);
  return {
    threads: sum((pool) => pool.threads),
    active: sum((pool) => pool.active),
    queue: sum((pool) => pool.queue),
    waiting: sum((pool) => pool.waiting),
    reserved: sum((pool) => pool.reserved),
  };
}

export function describeReports(
  reports: readonly WorkerReport[],
  generation: number,
  startedAt: UnixMilliseconds,
): string {
  const connections = reports.map((report) => report.connections);
  const total = connections.reduce((sum, each) => sum + each, 0);
  const since = new Date(startedAt).toISOString();
  return `Connections: ${total} (${connections.join(" + ")}) | Generation: ${generation} | Since: ${since}`;
}

export class StatusLines {
  /** The log for the next lines. */
  events: Events | undefined;
  #timer: NodeJS.Timeout | undefined;
  #printed: PoolState | undefined;

  /** @param interval  in milliseconds; zero: never */
  watch(look: () => Promise<PoolState>, events: Events, interval: number): void {
    this.events = events;
    if (interval === 0) return;
    this.#timer = setInterval(async () => {
      const state = await look();
      if (!isStatusNews(state, this.#printed)) return;
      this.events?.info(formatPoolStatus(state));
      this.#printed = state;
    }, interval).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

/** Of all processes together. */
export function sumTunnels(all: readonly ReadonlyMap<string, TunnelCounts>[]): ReadonlyMap<string, TunnelCounts> {
  const sums = new Map<string, TunnelCounts>();
  for (const counts of all) {
    for (const [name, one] of counts) sums.set(name, addTunnels(sums.get(name), one));
  }
  return sums;
}

function addTunnels(sum: TunnelCounts | undefined, one: TunnelCounts): TunnelCounts {
  if (sum === undefined) return one;
  return {
    open: sum.open + one.open,
    opened: sum.opened + one.opened,
    unreached: sum.unreached + one.unreached,
    fromClients: bytes(sum.fromClients + one.fromClients),
    fromBackend: bytes(sum.fromBackend + one.fromBackend),
  };
}

/** `TLS terminator shop: 3 connections, 120 so far, 2 times no backend, 1.2 MiB from clients, …`. */
export function formatTunnels(
  name: string,
  { open, opened, unreached, fromClients, fromBackend }: TunnelCounts,
): string {
  const parts = [
    `${open} ${open === 1 ? "connection" : "connections"}`,
    `${opened} so far`,
    `${unreached} ${unreached === 1 ? "time" : "times"} no backend`,
    `${formatHumanSize(fromClients)} from clients`,
    `${formatHumanSize(fromBackend)} from the backend`,
  ];
  return `TLS terminator ${name}: ${parts.join(", ")}`;
}
