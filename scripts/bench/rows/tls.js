/**
 * The same over TLS, one process on one core, with the certificates of the tests. wrk shakes hands in full for each connection: no
 * session is resumed.
 */
import { entries } from "./entries.js";

const SERVERS = [entries.comanche, entries.nginx];
const oneKib = { path: "/1k.txt", documents: ["1k"], connections: 64 };
const closing = { ...oneKib, fields: [["Connection", "close"]] };

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
    name: "tls-p256",
    title: "TLS 1.3 handshakes with P-256",
    measure: "requests",
    main: "capacity",
    tls: "p256",
    load: closing,
    entries: SERVERS,
    aims: [{ of: "comanche", figure: "capacity", against: "nginx", atLeast: 0.8 }],
  },
  {
    name: "tls-rsa",
    title: "TLS 1.3 handshakes with RSA-2048",
    measure: "requests",
    main: "capacity",
    tls: "rsa",
    load: closing,
    entries: SERVERS,
    aims: [{ of: "comanche", figure: "capacity", against: "nginx", atLeast: 0.8 }],
  },
];
