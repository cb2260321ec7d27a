/**
 * Processor time, read from /proc: of a server with all its processes, and of whole cores.
 *
 * The processes of a server are those of its session and whatever descends from it. Times have the kernel's resolution
 * of a tick (10 ms), to be set against runs of a second or more.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout) || 100;

/** Seconds that the processes of a server have used, in the kernel and outside. */
function processorSeconds(leader) {
  return processesOf(leader).reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond;
}

export function processesOf(leader) {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readUnlessGone(`/proc/${name}/stat`))
    .filter((stat) => stat !== undefined)
    .map(parseProcessStat);
  const found = new Set(all.filter((one) => one.pid === leader || one.session === leader));
  let before;
  do {
    before = found.size;
    const pids = new Set([...found].map(({ pid }) => pid));
    for (const one of all) if (pids.has(one.parent)) found.add(one);
  } while (found.size > before);
  return [...found];
}

/** The name of a process stands in parentheses and may hold spaces and parentheses itself (proc(5)). */
function parseProcessStat(stat) {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    pid: Number.parseInt(stat, 10),
    state: fields[0],
    parent: Number(fields[1]),
    session: Number(fields[3]),
    ticks: Number(fields[11]) + Number(fields[12]),
  };
}

/** Ticks of these cores since the machine started: `busy` with whatever, `stolen` by the host, and in all. */
function coreTicks(cores) {
  return parseCoreTicks(readFileSync("/proc/stat", "latin1"), cores);
}

function parseCoreTicks(stat, cores) {
  const sum = { busy: 0, stolen: 0, total: 0 };
  for (const [, core, rest] of stat.matchAll(/^cpu(\d+) (.*)$/gm)) {
    if (!cores.includes(Number(core))) continue;
    const [user, nice, system, idle, waiting, interrupt, softInterrupt, stolen] = rest.split(" ").map(Number);
    const busy = user + nice + system + interrupt + softInterrupt;
    sum.busy += busy;
    sum.stolen += stolen;
    sum.total += busy + idle + waiting + stolen;
  }
  return sum;
}

/**
 * Starts to watch a server and its client; what comes back ends it and is told for how many seconds the client was at
 * work, since its own start and end lie in the watched time too.
 *
 * @param server  `pid`, its first process; `neighbour`, the first process of another server on the same cores that belongs
 *                to what is measured, or undefined
 * @returns seconds of processor time the server used; the share of its cores it was busy; the share that others had of
 *          them, the host of a virtual machine among these; the share of the client's cores that was busy
 */
export function startMeter({ pid, neighbour }, { kind, server, client }) {
  const secondsOfNeighbour = () => (neighbour === undefined ? 0 : processorSeconds(neighbour));
  const before = {
    seconds: processorSeconds(pid),
    neighbour: secondsOfNeighbour(),
    server: coreTicks(server),
    client: coreTicks(client),
  };
  return (seconds) => {
    const used = processorSeconds(pid) - before.seconds;
    const expected = used + secondsOfNeighbour() - before.neighbour;
    const serverCores = difference(coreTicks(server), before.server);
    const clientCores = difference(coreTicks(client), before.client);
    const foreign = serverCores.busy + serverCores.stolen - expected * ticksPerSecond;
    return {
      processorSeconds: used,
      busy: used / (seconds * server.length),
      // On cores that they share, the client would count as a stranger.
      others: kind === "shared" ? 0 : Math.max(0, foreign / serverCores.total),
      clientBusy: Math.min(1, clientCores.busy / (seconds * client.length * ticksPerSecond)),
    };
  };
}

function difference(after, before) {
  return {
    busy: after.busy - before.busy,
    stolen: after.stolen - before.stolen,
    total: Math.max(1, after.total - before.total),
  };
}

function readUnlessGone(path) {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // It ended while we were looking.
    return undefined;
  }
}
