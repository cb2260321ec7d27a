import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Endpoint } from "../../src/base/endpoint.ts";
import { StartupError } from "../../src/base/errors.ts";
import { bindSocket } from "../../src/transport/bound-socket.ts";
import { Listener } from "../../src/transport/listener.ts";
import type { AcceptedTransport } from "../../src/transport/transport.ts";
import { listenHere } from "../support/listen-here.ts";
import { sayHello } from "../support/transports.ts";

const anyPort: Endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 };
const ignore = (transport: AcceptedTransport): void => transport.destroy();

async function open(t: TestContext, endpoint: Endpoint, onAccepted = ignore): Promise<Listener> {
  const listener = await listenHere(endpoint, 16, onAccepted);
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

const portOf = ({ endpoint }: Listener): number => {
  assert.ok(endpoint.kind === "tcp");
  return endpoint.port;
};

// ---- what cannot be bound

test("bindSocket: a port in use", async (t) => {
  const port = portOf(await open(t, anyPort));
  await assert.rejects(listenHere({ kind: "tcp", host: "127.0.0.1", port }, 16, ignore), (error) => {
    assert.ok(error instanceof StartupError);
    const why = "the port is in use; choose another one, or stop the program that uses it";
    assert.equal(error.message, `cannot listen on 127.0.0.1:${port}: ${why}`);
    return true;
  });
});

test("bindSocket: an address of another machine", async () => {
  await assert.rejects(listenHere({ kind: "tcp", host: "192.0.2.1", port: 0 }, 16, ignore), {
    name: "StartupError",
    message: "cannot listen on 192.0.2.1:0: this machine does not have that address",
  });
});

function mayBindPort81(): string | false {
  if (process.getuid?.() === 0) return "root may bind every port";
  const first = readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8");
  return Number(first) <= 81 ? "this machine lets everybody bind every port" : false;
}

test("bindSocket: a port below 1024", { skip: mayBindPort81() }, async () => {
  await assert.rejects(listenHere({ kind: "tcp", host: "127.0.0.1", port: 81 }, 16, ignore), {
    message: "cannot listen on 127.0.0.1:81: permission denied; ports below 1024 need root, try -p 8080",
  });
});

// ---- Unix sockets

test("bindSocket: a Unix socket with the permissions asked for, gone when it is closed", async (t) => {
  const path = temporaryPath(t);
  const bound = await bindSocket({ kind: "unix", path }, 0o640);
  assert.equal(statSync(path).mode & 0o777, 0o640);
  bound.close();
  assert.equal(existsSync(path), false);
});

test("bindSocket: a Unix socket is listened on", async (t) => {
  const path = temporaryPath(t);
  const listener = await open(t, { kind: "unix", path }, sayHello);
  assert.deepEqual(listener.endpoint, { kind: "unix", path });
  assert.equal(await greet({ path }), "hello");
});

test("bindSocket: a port that is bound and not listened on yet is told when somebody listens", async (t) => {
  const first = await bindSocket(anyPort, 0);
  assert.ok(first.endpoint.kind === "tcp");
  const second = await bindSocket(first.endpoint, 0);
  t.after(() => first.close());
  await open(t, first.endpoint).catch(() => undefined);
  await assert.rejects(
    Listener.open(second, 16, { choice: { kind: "socket", why: "" }, onAccepted: ignore }),
    /the port is in use/,
  );
});

test("bindSocket: a Unix socket that its server left behind is replaced", async (t) => {
  const path = temporaryPath(t);
  await leaveStaleSocket(path);
  assert.equal(existsSync(path), true);
  await open(t, { kind: "unix", path }, sayHello);
  assert.equal(await greet({ path }), "hello");
});

test("bindSocket: a Unix socket that somebody listens on stays", async (t) => {
  const path = temporaryPath(t);
  await open(t, { kind: "unix", path }, sayHello);
  await assert.rejects(listenHere({ kind: "unix", path }, 16, ignore), {
    name: "StartupError",
    message: `cannot listen on unix:${path}: another program listens there, or the file is not a socket`,
  });
  assert.equal(await greet({ path }), "hello");
});

test("bindSocket: a file where the Unix socket should be stays", async (t) => {
  const path = temporaryPath(t);
  writeFileSync(path, "precious");
  await assert.rejects(listenHere({ kind: "unix", path }, 16, ignore), {
    message: `cannot listen on unix:${path}: another program listens there, or the file is not a socket`,
  });
  assert.equal(readFileSync(path, "utf8"), "precious");
});

test("bindSocket: a Unix socket in a directory that does not exist", async (t) => {
  const path = join(temporaryPath(t), "socket");
  await assert.rejects(listenHere({ kind: "unix", path }, 16, ignore), {
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
