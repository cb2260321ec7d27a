import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { StartupError } from "../../src/base/errors.ts";
import type { Endpoint } from "../../src/net/endpoint.ts";
import { Listener } from "../../src/net/listener.ts";

const anyPort: Endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 };
const ignore = (socket: Socket): void => void socket.destroy();

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
const noIpv6 = hasIpv6 ? false : "this machine has no IPv6";

async function open(t: TestContext, endpoint: Endpoint, onSocket = ignore): Promise<Listener> {
  const listener = await Listener.open(endpoint, 16, onSocket);
  t.after(() => listener.close());
  return listener;
}

function temporaryPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "comanche-listener-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "socket");
}

/** What the socket of a client and the accepted one say to each other. */
async function greet(target: { port: number; host: string } | { path: string }): Promise<string> {
  const client = connect(target);
  const [chunk] = (await once(client, "data")) as [Buffer];
  client.destroy();
  return chunk.toString();
}

const hello = (socket: Socket): void => {
  // A client that only looks whether somebody answers does not wait for it.
  socket.on("error", () => undefined);
  socket.end("hello");
};

const portOf = ({ endpoint }: Listener): number => {
  assert.ok(endpoint.kind === "tcp");
  return endpoint.port;
};

test("Listener: port 0 becomes a number, and connections arrive", async (t) => {
  const listener = await open(t, anyPort, hello);
  assert.ok(portOf(listener) > 0);
  assert.deepEqual(listener.endpoint, { kind: "tcp", host: "127.0.0.1", port: portOf(listener) });
  assert.equal(await greet({ port: portOf(listener), host: "127.0.0.1" }), "hello");
});

test("Listener: a name is looked up", async (t) => {
  const listener = await open(t, { kind: "tcp", host: "localhost", port: 0 });
  assert.ok(listener.endpoint.kind === "tcp" && ["127.0.0.1", "::1"].includes(listener.endpoint.host));
});

test("Listener: IPv6, which leaves IPv4's port free", { skip: noIpv6 }, async (t) => {
  const listener = await open(t, { kind: "tcp", host: "::", port: 0 }, hello);
  const port = portOf(listener);
  await open(t, { kind: "tcp", host: "0.0.0.0", port });
  assert.equal(await greet({ port, host: "::1" }), "hello");
});

test("Listener: after close nobody is accepted, and who was stays", async (t) => {
  const accepted: Socket[] = [];
  const listener = await Listener.open(anyPort, 16, (socket) => accepted.push(socket));
  const target = { port: portOf(listener), host: "127.0.0.1" };
  const client = connect(target);
  await once(client, "connect");
  while (accepted.length === 0) await new Promise(setImmediate);
  listener.close();
  const [error] = await once(connect(target), "error");
  assert.equal(error.code, "ECONNREFUSED");
  accepted[0]?.end("still here");
  const [chunk] = (await once(client, "data")) as [Buffer];
  assert.equal(chunk.toString(), "still here");
  client.destroy();
  t.after(() => accepted[0]?.destroy());
});

// ---- what cannot be bound

test("Listener: a port in use", async (t) => {
  const port = portOf(await open(t, anyPort));
  await assert.rejects(Listener.open({ kind: "tcp", host: "127.0.0.1", port }, 16, ignore), (error) => {
    assert.ok(error instanceof StartupError);
    const why = "the port is in use; choose another with -p, or stop the program that has it";
    assert.equal(error.message, `cannot listen on 127.0.0.1:${port}: ${why}`);
    return true;
  });
});

test("Listener: an address of another machine", async () => {
  await assert.rejects(Listener.open({ kind: "tcp", host: "192.0.2.1", port: 0 }, 16, ignore), {
    name: "StartupError",
    message: "cannot listen on 192.0.2.1:0: this machine does not have that address",
  });
});

function mayBindPort81(): string | false {
  if (process.getuid?.() === 0) return "root may bind every port";
  const first = readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8");
  return Number(first) <= 81 ? "this machine lets everybody bind every port" : false;
}

test("Listener: a port below 1024", { skip: mayBindPort81() }, async () => {
  await assert.rejects(Listener.open({ kind: "tcp", host: "127.0.0.1", port: 81 }, 16, ignore), {
    message: "cannot listen on 127.0.0.1:81: permission denied; ports below 1024 are for root, try -p 8080",
  });
});

// ---- Unix sockets

test("Listener: a Unix socket, gone when it is closed", async (t) => {
  const path = temporaryPath(t);
  const listener = await Listener.open({ kind: "unix", path }, 16, hello);
  assert.deepEqual(listener.endpoint, { kind: "unix", path });
  assert.equal(await greet({ path }), "hello");
  listener.close();
  assert.equal(existsSync(path), false);
});

test("Listener: a Unix socket that its server left behind is replaced", async (t) => {
  const path = temporaryPath(t);
  await leaveStaleSocket(path);
  assert.equal(existsSync(path), true);
  await open(t, { kind: "unix", path }, hello);
  assert.equal(await greet({ path }), "hello");
});

test("Listener: a Unix socket that somebody listens on stays", async (t) => {
  const path = temporaryPath(t);
  await open(t, { kind: "unix", path }, hello);
  await assert.rejects(Listener.open({ kind: "unix", path }, 16, ignore), {
    name: "StartupError",
    message: `cannot listen on unix:${path}: another program listens there, or it is not a socket`,
  });
  assert.equal(await greet({ path }), "hello");
});

test("Listener: a file where the Unix socket should be stays", async (t) => {
  const path = temporaryPath(t);
  writeFileSync(path, "precious");
  await assert.rejects(Listener.open({ kind: "unix", path }, 16, ignore), {
    message: `cannot listen on unix:${path}: another program listens there, or it is not a socket`,
  });
  assert.equal(readFileSync(path, "utf8"), "precious");
});

test("Listener: a Unix socket in a directory that does not exist", async (t) => {
  const path = join(temporaryPath(t), "socket");
  await assert.rejects(Listener.open({ kind: "unix", path }, 16, ignore), {
    message: `cannot listen on unix:${path}: there is no such directory`,
  });
});

/** A socket file without a listener: closing removes the name it was bound to, so it is given another first. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer();
  server.listen({ path: `${path}-first` });
  await once(server, "listening");
  renameSync(`${path}-first`, path);
  server.close();
  await once(server, "close");
}
