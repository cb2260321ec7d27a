/**
 * nginx and HAProxy beside the server: in front of it or behind it, each with a configuration of a few lines.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { makeTree } from "./file-tree.ts";
import { findFreePort } from "./free-port.ts";

const INTERVAL_MS = 10;
const LOOKS = 1000;

export interface ProxyProgram {
  readonly port: number;
  /** What it has logged so far. */
  log(): string;
}

/** For node:test's `skip`: of several the first that is missing. */
export function missing(...programs: readonly string[]): string | false {
  const one = programs.find((program) => spawnSync(program, ["-v"]).error !== undefined);
  return one === undefined ? false : `${one} is not installed`;
}

/** nginx that wants a PROXY header and logs whom it names; it serves the file `small.txt`. */
export async function startNginx(t: TestContext): Promise<ProxyProgram> {
  const top = makeTree(t, { "small.txt": "small" });
  const port = await findFreePort();
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${top}/${name};`,
  );
  const configuration = `daemon off; master_process off; pid ${top}/pid; error_log stderr;
events { worker_connections 64; }
http {
  ${places.join(" ")}
  access_log ${top}/access;
  server {
    listen 127.0.0.1:${port} proxy_protocol;
    set_real_ip_from 127.0.0.0/8;
    real_ip_header proxy_protocol;
    root ${top};
  }
}
`;
  writeFileSync(`${top}/nginx.conf`, configuration);
  await run(t, "nginx", ["-c", `${top}/nginx.conf`, "-p", top], port);
  return { port, log: () => readFileSync(`${top}/access`, "utf8") };
}

/** HAProxy that wants a PROXY header, answers by itself, and logs whom the header names. */
export function startHaproxyBehind(t: TestContext): Promise<ProxyProgram> {
  return startHaproxy(
    t,
    (port) => `  mode http
  log global
  option httplog
frontend front
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain string small
`,
  );
}

/** HAProxy that passes bytes on, says for whom, and looks all the time whether the backend lives. @param send  `send-proxy` or `send-proxy-v2` */
export function startHaproxyInFront(t: TestContext, backendPort: number, send: string): Promise<ProxyProgram> {
  return startHaproxy(
    t,
    (port) => `  mode tcp
frontend front
  bind 127.0.0.1:${port}
  default_backend back
backend back
  server one 127.0.0.1:${backendPort} ${send} check inter 50ms
`,
  );
}

async function startHaproxy(t: TestContext, sections: (port: number) => string): Promise<ProxyProgram> {
  const top = makeTree(t);
  const port = await findFreePort();
  const times = ["connect", "client", "server"].map((side) => `  timeout ${side} 10s\n`).join("");
  writeFileSync(
    `${top}/haproxy.cfg`,
    `global\n  log stdout format raw local0\n  maxconn 100\ndefaults\n${times}${sections(port)}`,
  );
  const output = await run(t, "haproxy", ["-db", "-f", `${top}/haproxy.cfg`], port);
  return { port, log: output };
}

/** @returns what it has printed so far, once it accepts connections; it has ended when the test has */
async function run(t: TestContext, program: string, args: readonly string[], port: number): Promise<() => string> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const ended = once(child, "close");
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  t.after(async () => {
    kill();
    await ended;
    process.off("exit", kill);
  });
  for (let look = 0; !(await accepts(port)); look += 1) {
    if (look === LOOKS || child.exitCode !== null) throw new Error(`${program} accepts no connections: ${output}`);
    await setTimeout(INTERVAL_MS);
  }
  return () => output;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
