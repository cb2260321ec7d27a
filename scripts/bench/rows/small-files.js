/**
 * Small answers over kept connections, one process on one core.
 */
import { DEBIAN_SERVERS, entries } from "./entries.js";

const CONNECTIONS = 64;
const oneKib = { path: "/1k.txt", documents: ["1k"], connections: CONNECTIONS };

/** Ten fields with those that wrk sends itself (Host) and what a browser sends with a page's pictures. */
const BROWSER_FIELDS = [
  ["Connection", "keep-alive"],
  ["User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"],
  ["Accept", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"],
  ["Accept-Encoding", "gzip, deflate, br, zstd"],
  ["Accept-Language", "en-GB,en;q=0.9,de;q=0.8"],
  ["Referer", "http://127.0.0.1/index.html"],
  ["Sec-Fetch-Dest", "image"],
  ["Sec-Fetch-Mode", "no-cors"],
  ["Sec-Fetch-Site", "same-origin"],
];

export const smallFiles = [
  {
    name: "small-1k",
    title: "1 KiB, kept connections",
    measure: "requests",
    load: oneKib,
    entries: [entries.comanche, entries.comancheValid, ...DEBIAN_SERVERS, entries.nginxFileCache],
    aims: [
      { of: "comanche", figure: "rate", against: "nginx", atLeast: 1.35 },
      { of: "comanche, cache-valid 1s", figure: "rate", against: "nginx", atLeast: 1.45 },
      { of: "comanche, cache-valid 1s", figure: "rate", against: "nginx, open_file_cache", atLeast: 1.1 },
      { of: "comanche, cache-valid 1s", figure: "rate", against: "lighttpd", atLeast: 0.95 },
      { of: "comanche, cache-valid 1s", figure: "rate", against: "h2o", atLeast: 0.95 },
    ],
  },
  {
    name: "small-log",
    title: "1 KiB, with an access log (combined; Caddy: JSON)",
    measure: "requests",
    hasLog: true,
    load: oneKib,
    entries: [entries.comanche, ...DEBIAN_SERVERS],
    aims: [{ of: "comanche", figure: "rate", against: "nginx", atLeast: 1.35 }],
  },
  {
    name: "small-heads",
    title: "1 KiB, request heads of a browser",
    measure: "requests",
    load: { ...oneKib, fields: BROWSER_FIELDS },
    entries: [entries.comanche, ...DEBIAN_SERVERS],
    aims: [{ of: "comanche", figure: "rate", against: "nginx", atLeast: 1.4 }],
  },
  {
    name: "small-many",
    title: "10,000 files of 4 KiB in random order",
    measure: "requests",
    load: { script: "random-files.lua", documents: ["many"], connections: CONNECTIONS },
    entries: [entries.comanche, ...DEBIAN_SERVERS, entries.nginxFileCache],
    aims: [{ of: "comanche", figure: "rate", against: "nginx", atLeast: 1.2 }],
  },
  {
    name: "small-304",
    title: "304 for a matching If-None-Match",
    measure: "requests",
    load: { ...oneKib, revalidates: true },
    entries: [entries.comanche, ...DEBIAN_SERVERS],
    aims: [{ of: "comanche", figure: "rate", against: "nginx", atLeast: 1.35 }],
  },
  {
    name: "small-npm",
    title: "1 KiB, beside what npm offers",
    measure: "requests",
    load: oneKib,
    entries: [
      entries.comanche,
      entries.nginx,
      entries.sirv,
      entries.serveHandler,
      entries.httpServer,
      entries.fastifyStatic,
    ],
    aims: ["sirv", "serve-handler", "http-server", "@fastify/static"].map((against) => {
      return { of: "comanche", figure: "rate", against, atLeast: 10 };
    }),
  },
];
