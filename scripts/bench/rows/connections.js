/**
 * Connections: new ones, waiting ones, and all of it with two processes on two cores.
 */
import { DEBIAN_SERVERS, entries } from "./entries.js";

const CLOSE = [["Connection", "close"]];
const oneKib = { path: "/1k.txt", documents: ["1k"], connections: 64 };
const twice = { ...oneKib, connections: 128 };

export const connections = [
  {
    name: "connect-one",
    title: "1 KiB, a new connection for each request",
    measure: "requests",
    // The client has more to do for a connection than the server: only capacity compares servers.
    main: "capacity",
    load: { ...oneKib, fields: CLOSE },
    entries: [entries.comanche, ...DEBIAN_SERVERS, entries.sirv],
    aims: [{ of: "comanche", figure: "capacity", against: "nginx", atLeast: 0.9 }],
  },
  {
    name: "two-keep",
    title: "1 KiB, kept connections, two processes",
    measure: "requests",
    processes: 2,
    load: twice,
    entries: [entries.comanche, ...DEBIAN_SERVERS],
    aims: [{ of: "comanche", figure: "rate", against: "nginx", atLeast: 1.4 }],
  },
  {
    name: "two-connect",
    title: "1 KiB, new connections, two processes",
    measure: "requests",
    main: "capacity",
    processes: 2,
    load: { ...twice, fields: CLOSE },
    entries: [entries.comanche, ...DEBIAN_SERVERS],
    aims: [{ of: "comanche", figure: "capacity", against: "nginx", atLeast: 0.85 }],
  },
  {
    name: "idle-10000",
    title: "memory of a waiting connection (10,000, two processes)",
    measure: "idleConnections",
    // Comanche keeps a descriptor free for the file of each connection: with the usual limit of 20,000 one process holds fewer.
    processes: 2,
    load: { ...oneKib, connections: 10_000 },
    mostRounds: 3,
    entries: [entries.comanche, ...DEBIAN_SERVERS, entries.sirv],
    aims: [{ of: "comanche", figure: "connectionKib", atMost: 1.5 }],
  },
];
