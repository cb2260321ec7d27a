/**
 * Terminators as sections of a server's configuration file: several in one server, beside its sites or without any, and
 * what a reload changes of them.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { errorCode } from "../../src/base/errors.ts";
import { ComancheCommand } from "../support/comanche-command.ts";
import { makeTree } from "../support/file-tree.ts";
import { endProcess, formatConfiguration, LiveServer } from "../support/live-server.ts";
import { childrenOf, isRunning } from "../support/process-facts.ts";
import { latin1, RawClient } from "../support/raw-client.ts";
import { Backend } from "../support/terminator-backend.ts";
import { assertJoined, call, close, tunnel } from "../support/terminator-caller.ts";
import { printed } from "../support/terminator-comanche.ts";
import { keyPath } from "../support/tls-client.ts";

const MAIN = { address: "127.0.0.1", processes: "1" };

function section(name: string, backend: Backend, pem: string, extras = ""): string {
  const place = backend.place.kind === "unix" ? `unix:${backend.place.path}` : `127.0.0.1,${backend.port}`;
  return `\n[TLS terminator ${name}]\nfrontend = 127.0.0.1,0\nbackend = ${place}\npem = ${keyPath(pem)}\n${extras}`;
}

/** A server with these sections beside its site. */
async function startWith(t: TestContext, sections: string): Promise<LiveServer> {
  const files = { "htdocs/small.txt": "small", "comanche.conf": formatConfiguration(MAIN, sections) };
  return LiveServer.startIn(t, makeTree(t, files));
}

/** Where it ends TLS for this backend. */
async function portFor({ command }: { readonly command: ComancheCommand }, backend: Backend): Promise<number> {
  const [, port] = await printed(
    command,
    new RegExp(`ends TLS at 127\\.0\\.0\\.1:(\\d+) for \\S*[:,]${backend.port}\\b`),
  );
  return Number(port);
}

test("several terminators and a site in one server", async (t) => {
  const [one, two] = [await Backend.start(t, "waits"), await Backend.start(t, "waits")];
  const sections = section("one", one, "p256.pem") + section("two", two, "rsa.pem", "write-ip = yes\nalpn = h2\n");
  const server = await startWith(t, sections);
  const [onePort, twoPort] = [await portFor(server, one), await portFor(server, two)];

  const first = await tunnel(t, onePort, one);
  await assertJoined(first);
  assert.equal(first.client.agreed.name, "p256");
  const second = await tunnel(t, twoPort, two, { alpn: ["h2"] });
  assert.deepEqual([...(await second.server.take(5))], [2, 127, 0, 0, 1]);
  await assertJoined(second);
  assert.deepEqual([second.client.agreed.name, second.client.agreed.alpn], ["rsa", "h2"]);

  const visitor = await RawClient.connect(server.port);
  visitor.send(Buffer.from("GET /small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
  assert.match(latin1(await visitor.readToEnd()), /^HTTP\/1\.1 200 .*\r\n\r\nsmall$/s);
  for (const joined of [first, second]) await close(joined);
  const { status, standardError } = await server.stop();
  assert.equal(status, 0, standardError);
});

test("a reload: a tunnel from before goes on, a new one goes to the new backend", async (t) => {
  const [old, young] = [await Backend.start(t, "waits"), await Backend.start(t, "waits")];
  const fixed = section("one", old, "p256.pem").replace("127.0.0.1,0", `127.0.0.1,${await freePort(t)}`);
  const server = await startWith(t, fixed);
  const port = await portFor(server, old);
  const before = await tunnel(t, port, old);
  await assertJoined(before);

  server.configure(MAIN, fixed.replace(`127.0.0.1,${old.port}`, `127.0.0.1,${young.port}`).replace("p256", "rsa"));
  const { status, standardError } = await server.run(t, "reload");
  assert.equal(status, 0, standardError);
  const after = await tunnel(t, port, young);
  await assertJoined(after);
  assert.equal(after.client.agreed.name, "rsa");
  await assertJoined(before);

  server.configure(MAIN, fixed.replace("p256", "wrong-key"));
  const refused = await server.run(t, "reload");
  assert.equal(refused.status, 1);
  assert.match(refused.standardError, /wrong-key\.pem: the key does not belong to the certificate/);
  await assertJoined(await tunnel(t, port, young));

  server.configure(MAIN);
  assert.equal((await server.run(t, "reload")).status, 0);
  await assertRefusedAtLast(t, port);
});

/** Once the old processes have left. */
async function assertRefusedAtLast(t: TestContext, port: number): Promise<void> {
  const MOST = 500;
  for (let times = 0; times < MOST; times += 1) {
    const code = await call(t, port).then(({ end }) => end.destroy(), errorCode);
    if (code === "ECONNREFUSED") return;
  }
  assert.fail("it still listens");
}

async function freePort(t: TestContext): Promise<number> {
  const holder = await Backend.start(t, "waits");
  await holder.close();
  return holder.port;
}

test("address = no: a server that only ends TLS", async (t) => {
  const backend = await Backend.start(t, "waits");
  const top = makeTree(t, {
    "comanche.conf": formatConfiguration({ ...MAIN, address: "no" }, section("one", backend, "p256.pem")),
  });
  const command = new ComancheCommand(["-d", "-c", "comanche.conf"], { cwd: top });
  t.after(async () => {
    const workers = isRunning(command.pid) ? childrenOf(command.pid) : [];
    await command.kill();
    for (const pid of workers) endProcess(pid);
  });
  const port = await portFor({ command }, backend);
  const joined = await tunnel(t, port, backend);
  await assertJoined(joined);
  await close(joined);
  command.signal("SIGTERM");
  const { status, standardOutput } = await command.end;
  assert.equal(status, 0);
  assert.doesNotMatch(standardOutput, /https?:\/\//);
});

test("a section that cannot be: one sentence tells where", async (t) => {
  const backend = await Backend.start(t, "waits");
  const configuration = formatConfiguration(MAIN, section("one", backend, "p256.pem", "alpn = h2 spdy?\n"));
  const command = new ComancheCommand(["-d", "-c", "comanche.conf"], {
    cwd: makeTree(t, { "htdocs/": "", "comanche.conf": configuration }),
  });
  t.after(() => command.kill());
  const { status, standardError } = await command.end;
  assert.equal(status, 1);
  assert.match(standardError, /comanche\.conf:\d+: \[TLS terminator one\] alpn = h2 spdy\?: expected /);
});
