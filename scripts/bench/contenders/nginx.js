/**
 * nginx. Variants: `tcpNopush: false`, `fileCache: true`, and `proxy: true`, which passes requests on to the backend instead
 * of serving files.
 *
 * sendfile is on, its fastest way; tcp_nopush is on unless a row asks otherwise, because the distributions ship it so and
 * it is the faster one up to 10 KiB. At 100 KiB over loopback it is the slower one, so there a row asks for both.
 */
import { findVersion } from "./program.js";

export const nginx = {
  name: "nginx",
  find: () => findVersion("nginx", ["-v"], /nginx\/(\S+)/),
  plan({ program, folder, docs, port, processes, log, backendPort, certificate, ...rest }) {
    const { variant, connections, descriptors, idleSeconds } = rest;
    const { tcpNopush = true, fileCache = false, proxy = false } = variant;
    const lines = [
      "daemon off;",
      `worker_processes ${processes};`,
      // For the files it keeps open besides its connections.
      `worker_rlimit_nofile ${descriptors};`,
      "pid nginx.pid;",
      "error_log error.log;",
      // It begins to close waiting connections when fewer than a sixteenth of the places are free.
      `events { worker_connections ${Math.ceil(connections * 1.2) + 500}; }`,
      "http {",
      // Buffered, as Comanche's is: a write for each line costs nginx a tenth of its rate.
      `  access_log ${log === undefined ? "off" : `${log} combined buffer=64k flush=1s`};`,
      "  sendfile on;",
      `  tcp_nopush ${tcpNopush ? "on" : "off"};`,
      "  keepalive_requests 1000000000;",
      `  keepalive_timeout ${idleSeconds}s;`,
      ...(fileCache ? ["  open_file_cache max=20000 inactive=1h;", "  open_file_cache_valid 60s;"] : []),
      "  types { text/plain txt; }",
      // Its own folders belong to the system, which matters to whoever is not root.
      ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `  ${name}_temp_path ${folder}/${name};`),
      ...(certificate === undefined
        ? []
        : [
            `  ssl_certificate ${certificate}; ssl_certificate_key ${certificate};`,
            "  ssl_protocols TLSv1.2 TLSv1.3;",
            // What Comanche chooses: the servers are compared, not the suites.
            "  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;",
          ]),
      ...(proxy ? proxyLines(backendPort, connections) : []),
      `  server { listen 127.0.0.1:${port} ${certificate === undefined ? "" : "ssl "}backlog=4096; root ${docs};`,
      ...(proxy ? ["    location / { proxy_pass http://backend; }"] : []),
      "  }",
      "}",
    ];
    return {
      command: [program, "-p", folder, "-c", `${folder}/nginx.conf`],
      files: { "nginx.conf": `${lines.join("\n")}\n` },
    };
  },
};

/** Connections to the backend are kept, and what a client does not take at once waits in memory, never in a file. */
function proxyLines(backendPort, connections) {
  return [
    `  upstream backend { server 127.0.0.1:${backendPort}; keepalive ${connections}; keepalive_requests 1000000000; }`,
    "  proxy_http_version 1.1;",
    '  proxy_set_header Connection "";',
    "  proxy_max_temp_file_size 0;",
  ];
}
