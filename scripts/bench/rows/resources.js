/**
 * What a server costs before it has done anything: the time it takes to start, and its memory at rest.
 */
import { DEBIAN_SERVERS, entries, withProcesses } from "./entries.js";

const load = { path: "/1k.txt", documents: ["1k"], connections: 1 };
const { nginx, comanche } = entries;
const others = [...DEBIAN_SERVERS.filter((one) => one !== nginx), entries.sirv];
const oneAndTwo = [comanche, nginx].flatMap((one) => [withProcesses(1, one), withProcesses(2, one)]);

export const resources = [
  {
    name: "start",
    title: "from the command to the first byte",
    measure: "startTime",
    load,
    entries: [...oneAndTwo, ...others],
    aims: [],
  },
  {
    name: "rest",
    title: "memory at rest",
    measure: "memoryAtRest",
    mostRounds: 3,
    load,
    entries: [...oneAndTwo, ...others],
    aims: [],
  },
];
