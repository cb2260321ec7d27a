/**
 * The same over TLS, one process on one core, with the certificates of the tests; handshakes alone; and terminators, which end
 * TLS before a plain server.
 *
 * A terminator connects to its backend for each connection. In the rows of handshakes the backend is asked for nothing and
 * runs beside the client. In those of terminators it shares the core with them, as on a small machine: the rate is that
 * of both together, while processor time is the terminator's alone.
 */
import { entries } from "./entries.js";

const SERVERS = [entries.comanche, entries.nginx];
const TERMINATORS = [entries.comancheTls, entries.hitch, entries.nginxProxy];
const oneKib = { path: "/1k.txt", documents: ["1k"], connections: 64 };
const large = { path: "/100m.bin", documents: ["100m"], connections: 4 };

const handshakes = ["full", "resumed"].flatMap((kind) =>
  ["1.2", "1.3"].flatMap((version) => ["p256", "rsa"].map((key) => handshakeRow(kind, version, key))),
);

export const tls = [
  {
    name: "tls-1k",
    title: "1 KiB over TLS 1.3, kept connections",
    measure: "requests",
    tls: "p256",
    load: oneKib,
    entries: SERVERS,
    aims: [{ of: "comanche", figure: "rate", against: "nginx", atLeast: 1 }],
  },
  {
    name: "tls-100k",
    title: "100 KiB over TLS 1.3, kept connections",
    measure: "requests",
    tls: "p256",
    load: { path: "/100k.txt", documents: ["100k"], connections: 64 },
    entries: SERVERS,
    aims: [{ of: "comanche", figure: "rate", against: "nginx", atLeast: 0.9 }],
  },
  {
    name: "tls-100m",
    title: "100 MiB over TLS 1.3, 4 clients",
    measure: "downloads",
    tls: "p256",
    load: large,
    entries: SERVERS,
    aims: [{ of: "comanche", figure: "throughput", against: "nginx", atLeast: 0.9 }],
  },
  ...handshakes,
  {
    name: "tls-terminator-1k",
    title: "terminator: 1 KiB, kept connections",
    measure: "requests",
    // The rate of both together would also praise who leaves the backend more of the core.
    main: "capacity",
    tls: "p256",
    backend: "beside the server",
    baselines: ["hitch"],
    load: oneKib,
    entries: TERMINATORS,
    aims: [
      { of: "comanche tls", figure: "rate", against: "hitch", atLeast: 0.6 },
      { of: "comanche tls", figure: "capacity", against: "hitch", atLeast: 0.6 },
    ],
  },
  {
    name: "tls-terminator-100m",
    title: "terminator: 100 MiB, 4 clients",
    measure: "downloads",
    tls: "p256",
    backend: "beside the server",
    baselines: ["hitch"],
    load: large,
    entries: TERMINATORS,
    aims: [],
  },
];

function handshakeRow(kind, version, key) {
  const how = { full: "in full", resumed: "resumed" }[kind];
  const keyName = { p256: "P-256", rsa: "RSA-2048" }[key];
  return {
    name: `tls-${kind}-${key}-${version}`,
    title: `TLS ${version} handshakes ${how}, ${keyName}`,
    measure: "handshakes",
    tls: key,
    backend: "beside the client",
    baselines: ["nginx", "hitch"],
    load: { path: "/1k.txt", documents: ["1k"], connections: 16, version, kind },
    entries: [...SERVERS, entries.hitch, entries.comancheTls],
    aims: [{ of: "comanche", figure: "handshakeCapacity", against: "nginx", atLeast: version === "1.2" ? 0.6 : 0.8 }],
  };
}
