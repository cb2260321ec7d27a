/**
 * Uploads through proxies that keep idle connections, 40 ms away from the server.
 *
 *     node scripts/soak/pooling-proxies.js [rounds]       POSTs of each client; 8 by default
 *
 * Twelve clients of each proxy send POSTs, with pauses around the server's idle timeout. A POST that
 * reaches a connection just when the server closes it is lost: the proxy answers 502 or 503. nginx, with the idle
 * timeout that this server has without a proxy, is the backend beside it. A proxy that is not installed is left out.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { kill, Server } from "./server.js";
import { runTrial, tally } from "./trial.js";

const ONE_WAY_MS = 20;
const AT_ONCE = 12;
/** Around `timeout`, in milliseconds: the server looks at its connections each 250 ms. */
const GAPS = [2960, 3000, 3040, 3100, 3160, 3220, 3280, 3340];
const BODY = '{"a":1}';

async function run(trial) {
  const { count: rounds = 8, check, figure } = trial;
  const comanche = await Server.start(trial, { flags: ["--processes", "1", "--queue", "1000"] });
  const nginx = await startNginxBackend(trial);
  const pairs = [];
  for (const [name, start] of Object.entries(PROXIES)) {
    if (!isInstalled(name)) {
      figure(name, "not installed");
      continue;
    }
    for (const [backend, port] of [
      ["comanche", comanche.port],
      ["nginx", nginx],
    ]) {
      if (port !== undefined)
        pairs.push({ name, backend, port: await start(trial, await startRelay(trial, port), backend) });
    }
  }
  const outcomes = new Map(pairs.map((pair) => [pair, []]));
  const visits = [...outcomes].map(([{ port }, seen]) => visit(port, rounds, seen));
  await Promise.all(visits);
  for (const [{ name, backend }, seen] of outcomes) {
    const lost = seen.filter((outcome) => !/^2/.test(outcome)).length;
    const found = `${lost} of ${seen.length} POSTs lost (${tally(seen)})`;
    if (backend === "comanche") check(`${name} before the server loses no POST`, lost === 0, found);
    else figure(`${name} before nginx with the same idle timeout`, found);
  }
  await comanche.stop();
}

/** Several clients at once, so that the proxy has as many connections; each pauses after its answer. */
async function visit(port, rounds, seen) {
  const clients = Array.from({ length: AT_ONCE }, async () => {
    for (let round = 0; round < rounds; round += 1) {
      seen.push(await post(port));
      await sleep(GAPS[round % GAPS.length]);
    }
  });
  await Promise.all(clients);
}

/** @returns the status, or why there is none */
function post(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", (error) => resolve(error.code));
    socket.on("close", () => resolve(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? "no answer"));
    const head = `POST /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n`;
    socket.write(`${head}Content-Length: ${BODY.length}\r\n\r\n${BODY}`);
  });
}

// ---- proxies, each in its own folder, and in the foreground

const PROXIES = {
  nginx: async (trial, backend) => {
    const port = await freePort();
    const place = folderFor(trial, `nginx-${port}`);
    const upstream = `upstream server { server 127.0.0.1:${backend}; keepalive 100; }`;
    const forwarding = `proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`;
    const server = `server { listen 127.0.0.1:${port} backlog=511; location / { proxy_pass http://server; ${forwarding} } }`;
    return startNginx(trial, place, port, `${upstream} ${server}`);
  },
  caddy: async (trial, backend) => {
    const port = await freePort();
    const place = folderFor(trial, `caddy-${port}`);
    const text = `{
      admin off
      auto_https off
    }
    http://:${port} {
      bind 127.0.0.1
      reverse_proxy 127.0.0.1:${backend} {
        transport http {
          keepalive_idle_conns_per_host 100
        }
      }
    }\n`;
    const file = writeConfiguration(place, text);
    const environment = { HOME: place, XDG_DATA_HOME: place, XDG_CONFIG_HOME: place };
    return startProgram(trial, "caddy", ["run", "--adapter", "caddyfile", "--config", file], port, environment);
  },
  varnishd: async (trial, backend) => {
    const port = await freePort();
    const place = folderFor(trial, `varnish-${port}`);
    const text = `vcl 4.1;
      backend default { .host = "127.0.0.1"; .port = "${backend}"; }
      sub vcl_recv { return (pass); }\n`;
    const file = writeConfiguration(place, text);
    const args = ["-F", "-j", "none", "-n", place, "-f", file, "-a", `127.0.0.1:${port}`, "-s", "malloc,32m"];
    return startProgram(trial, "varnishd", args, port);
  },
  haproxy: async (trial, backend) => {
    const port = await freePort();
    const text = `defaults
      mode http
      timeout connect 5s
      timeout client 1m
      timeout server 1m
      option forwardfor
    listen proxy
      bind 127.0.0.1:${port}
      server one 127.0.0.1:${backend}\n`;
    const file = writeConfiguration(folderFor(trial, `haproxy-${port}`), text);
    return startProgram(trial, "haproxy", ["-db", "-f", file], port);
  },
  apache2: async (trial, backend) => {
    const port = await freePort();
    const place = folderFor(trial, `apache-${port}`);
    const load = (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`;
    const text = `ServerRoot ${place}
      ${["mpm_event", "authz_core", "proxy", "proxy_http"].map(load).join("\n")}
      ServerName localhost
      Listen 127.0.0.1:${port}
      PidFile ${place}/pid
      ErrorLog ${place}/error.log
      User www-data
      Group www-data
      ProxyPass / http://127.0.0.1:${backend}/ ttl=60\n`;
    return startProgram(trial, "apache2", ["-DFOREGROUND", "-f", writeConfiguration(place, text)], port);
  },
  squid: async (trial, backend) => {
    const port = await freePort();
    const text = `http_port 127.0.0.1:${port} accel defaultsite=localhost
cache_peer 127.0.0.1 parent ${backend} 0 no-query originserver
http_access allow all
cache deny all
access_log none
cache_log /dev/null
pid_filename none
icon_directory /usr/share/squid/icons\n`;
    const file = writeConfiguration(folderFor(trial, `squid-${port}`), text);
    return startProgram(trial, "squid", ["-N", "-f", file], port);
  },
};

/** With the timeout that this server has without a proxy. @returns its port; undefined where nginx is not installed */
async function startNginxBackend(trial) {
  if (!isInstalled("nginx")) return undefined;
  const port = await freePort();
  const place = folderFor(trial, "nginx-backend");
  return startNginx(
    trial,
    place,
    port,
    `server { listen 127.0.0.1:${port}; keepalive_timeout 3s; location / { return 200 "ok"; } }`,
  );
}

function startNginx(trial, place, port, text) {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (each) => `${each}_temp_path ${place}/${each};`,
  );
  const events = "daemon off; worker_processes 1; events { worker_connections 1024; }";
  const http = `http { access_log off; ${paths.join(" ")} ${text} }`;
  const file = writeConfiguration(place, `pid ${place}/pid; ${events} ${http}`);
  return startProgram(trial, "nginx", ["-e", join(place, "error.log"), "-c", file, "-p", place], port);
}

function writeConfiguration(place, text) {
  const file = join(place, "configuration");
  writeFileSync(file, text);
  return file;
}

async function startRelay(trial, port) {
  const script = fileURLToPath(new URL("delaying-relay.js", import.meta.url));
  const child = spawn(process.execPath, [script, port, ONE_WAY_MS].map(String), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  trial.defer(() => kill([child.pid]));
  return new Promise((resolve) => child.stdout.once("data", (text) => resolve(Number(text))));
}

async function startProgram({ defer }, name, args, port, environment = {}) {
  const child = spawn(name, args, { stdio: "ignore", env: { ...process.env, ...environment } });
  defer(() => child.kill("SIGTERM"));
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (await answers(port)) return port;
    await sleep(100);
  }
  throw new Error(`${name} does not listen on port ${port}`);
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

function folderFor({ folder }, name) {
  const place = join(folder, name);
  mkdirSync(place);
  return place;
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function isInstalled(name) {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
}

await runTrial("pooling proxies: POSTs after gaps around the idle timeout, 40 ms away", 240, run);
