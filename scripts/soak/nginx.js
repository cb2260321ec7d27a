/**
 * nginx beside the server under trial: on a free port of 127.0.0.1, serving the same folder.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const TRIES = 200;

/**
 * @param connections  of each of its two processes
 * @returns its port; undefined where there is no nginx, which it says
 */
export async function startNginx({ folder, htdocs, defer, figure }, connections = 4096) {
  if (spawnSync("nginx", ["-v"]).status !== 0) {
    figure("nginx", "not installed, so it is not measured beside");
    return undefined;
  }
  const port = await freePort();
  const own = join(folder, "nginx");
  mkdirSync(own);
  const lines = [
    "daemon off; worker_processes 2; worker_rlimit_nofile 8192; pid nginx.pid; error_log error.log;",
    `events { worker_connections ${connections}; }`,
    "http { access_log off; sendfile on; keepalive_requests 1000000000; keepalive_timeout 60s;",
    ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${own}/${name};`),
    `server { listen 127.0.0.1:${port} backlog=4096; root ${htdocs}; autoindex on; } }`,
  ];
  writeFileSync(join(own, "nginx.conf"), `${process.getuid() === 0 ? "user root; " : ""}${lines.join("\n")}\n`);
  const child = spawn("nginx", ["-p", own, "-c", join(own, "nginx.conf")], { stdio: "ignore" });
  defer(() => child.kill("SIGTERM"));
  for (let count = 0; count < TRIES; count += 1) {
    if (await answers(port)) return port;
    await sleep(25);
  }
  throw new Error("nginx does not accept connections");
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
