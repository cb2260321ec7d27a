/**
 * Comanche between the programs that others have: whoever answers logs the address of the client, and not of the proxy.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect as connectPlain, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { LiveServer } from "../support/live-server.ts";
import {
  missing,
  type ProxyProgram,
  startHaproxyBehind,
  startHaproxyInFront,
  startNginx,
} from "../support/proxy-programs.ts";
import type { Announce } from "../support/terminator.ts";
import { startComanche } from "../support/terminator-comanche.ts";
import { startHitch } from "../support/terminator-hitch.ts";
import { keyPath, TLS_SECTION } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

/** No other program uses it. */
const CLIENT = "127.0.0.9";

/** A server that wants a PROXY header. */
interface Answering {
  readonly port: number;
  log(): string;
}

interface Site extends Answering {
  readonly tlsPort: number;
  events(): string;
}

/** Comanche with a plain port and one for TLS. Behind a proxy that says so, TLS on both sides of it counts. */
async function startSite(t: TestContext, announce?: Announce): Promise<Site> {
  const behindProxy = { "proxy-protocol": "yes", "trusted-proxies": "127.0.0.1" };
  const redirect = announce === "proxy-v2" ? { "tls-redirect": "yes", hsts: "1h" } : {};
  const configuration = { ...TLS_SECTION, ...behindProxy, ...redirect, processes: "1", "log-level": "debug" };
  const server = await LiveServer.start(t, { configuration });
  const [, tlsPort] = await server.command.printed(/https:\/\/[^/ ]+:(\d+)\//);
  const log = (): string => readFileSync(`${server.top}/access`, "utf8");
  const events = (): string => server.events;
  return { port: server.port, tlsPort: Number(tlsPort), log, events };
}

/** The whole answer to one request, from an address that the proxies do not have. */
async function ask(port: number, spoken: "plain" | "TLS"): Promise<string> {
  const to = { port, host: "127.0.0.1", localAddress: CLIENT };
  const socket: Socket = spoken === "plain" ? connectPlain(to) : connectTls({ ...to, rejectUnauthorized: false });
  socket.write("GET /small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  let answer = "";
  for await (const chunk of socket.setEncoding("latin1")) answer += chunk;
  return answer;
}

async function checkChain(port: number, spoken: "plain" | "TLS", { log }: Answering): Promise<void> {
  assert.match(await ask(port, spoken), /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nsmall$/);
  await until("the request is logged", () => log().includes(CLIENT), { facts: log });
}

const announcements: readonly Announce[] = ["proxy-v1", "proxy-v2"];

const behind: readonly [
  name: string,
  skip: string | false,
  start: (t: TestContext, announce: Announce) => Promise<ProxyProgram>,
][] = [
  ["Comanche", false, startSite],
  ["nginx", missing("nginx"), startNginx],
  ["HAProxy", missing("haproxy"), startHaproxyBehind],
];
for (const [name, skip, start] of behind) {
  for (const announce of announcements) {
    test(`comanche tls in front of ${name}, ${announce}`, { skip }, async (t) => {
      const answering = await start(t, announce);
      const backend = { kind: "tcp", host: "127.0.0.1", port: answering.port } as const;
      const { port } = await startComanche(t, { backend, announce });
      await checkChain(port, "TLS", answering);
    });
  }
}

for (const send of ["send-proxy", "send-proxy-v2"]) {
  for (const spoken of ["plain", "TLS"] as const) {
    test(`Comanche behind HAProxy, ${send}, ${spoken}`, { skip: missing("haproxy") }, async (t) => {
      const site = await startSite(t);
      const { port } = await startHaproxyInFront(t, spoken === "TLS" ? site.tlsPort : site.port, send);
      await checkChain(port, spoken, site);
      // Its health checks send a header for no client, and reset.
      const check =
        /debug: (?:connection opened: 127\.0\.0\.1:\d+|127\.0\.0\.1:\d+: closed without having sent anything)$/m;
      await until("a health check is seen", () => check.test(site.events()), { facts: site.events });
      const atDefaultLevel = site
        .events()
        .split("\n")
        .filter((line) => !line.includes("] debug: "));
      assert.doesNotMatch(atDefaultLevel.join("\n"), /closed|failed|trusted/);
    });
  }
}

for (const announce of announcements) {
  test(`Comanche behind hitch, ${announce}`, { skip: missing("hitch") }, async (t) => {
    const site = await startSite(t, announce);
    const backend = { kind: "tcp", host: "127.0.0.1", port: site.port } as const;
    const { port } = await startHitch(t, { backend, announce });
    await checkChain(port, "TLS", site);
  });
}

for (const send of ["send-proxy", "send-proxy-v2"]) {
  test(`comanche tls between HAProxy and Comanche passes the header of ${send} on`, {
    skip: missing("haproxy"),
  }, async (t) => {
    const site = await startSite(t);
    const backend = { kind: "tcp", host: "127.0.0.1", port: site.port } as const;
    const terminator = await startComanche(t, { backend, announce: "passed-on" });
    const { port } = await startHaproxyInFront(t, terminator.port, send);
    await checkChain(port, "TLS", site);
  });
}

test("TLS that comanche tls begins, and another ends", async (t) => {
  const site = await LiveServer.start(t, { configuration: { ...TLS_SECTION, processes: "1" } });
  const [, tlsPort] = await site.command.printed(/https:\/\/[^/ ]+:(\d+)\//);
  const backend = { kind: "tcp", host: "localhost", port: Number(tlsPort) } as const;
  const { port } = await startComanche(t, { backend, pems: [] }, ["--client", "--backend-ca", keyPath("ca.pem")]);
  assert.match(await ask(port, "plain"), /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nsmall$/);
});
