/**
 * Answers of 10 KiB and more, one process on one core. From 100 KiB on it matters how nginx is told to send.
 */
import { DEBIAN_SERVERS, entries } from "./entries.js";

const CONNECTIONS = 64;
const DOWNLOADS = 4;

export const largerFiles = [
  {
    name: "medium-10k",
    title: "10 KiB, kept connections",
    measure: "requests",
    load: { path: "/10k.txt", documents: ["10k"], connections: CONNECTIONS },
    entries: [entries.comanche, ...DEBIAN_SERVERS, entries.nginxFileCache],
    aims: [{ of: "comanche", figure: "rate", against: "nginx", atLeast: 1.2 }],
  },
  {
    name: "medium-100k",
    title: "100 KiB, kept connections",
    measure: "requests",
    load: { path: "/100k.txt", documents: ["100k"], connections: CONNECTIONS },
    entries: [entries.comanche, ...DEBIAN_SERVERS, entries.nginxPush, entries.nginxPushFileCache],
    aims: [
      { of: "comanche", figure: "rate", against: "nginx", atLeast: 1.9 },
      { of: "comanche", figure: "rate", against: "nginx, tcp_nopush off", atLeast: 0.8 },
    ],
  },
  {
    name: "large-100m",
    title: "100 MiB, 4 clients",
    measure: "downloads",
    load: { path: "/100m.bin", documents: ["100m"], connections: DOWNLOADS },
    entries: [entries.comanche, ...DEBIAN_SERVERS, entries.nginxPush, entries.sirv],
    aims: [
      { of: "comanche", figure: "throughput", against: "nginx", atLeast: 0.97 },
      { of: "comanche", figure: "secondsPerGigabyte", against: "nginx", atMost: 2 },
    ],
  },
];
