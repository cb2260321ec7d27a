import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { type TestContext, test } from "node:test";
import type { Endpoint } from "../../src/base/endpoint.ts";
import type { Listener } from "../../src/transport/listener.ts";
import type { AcceptedTransport } from "../../src/transport/transport.ts";
import { listenHere } from "../support/listen-here.ts";
import { sayHello } from "../support/transports.ts";

const anyPort: Endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 };
const ignore = (transport: AcceptedTransport): void => transport.destroy();

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
const noIpv6 = hasIpv6 ? false : "this machine has no IPv6";

async function open(t: TestContext, endpoint: Endpoint, onAccepted = ignore): Promise<Listener> {
  const listener = await listenHere(endpoint, 16, onAccepted);
  t.after(() => listener.close());
  return listener;
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

test("Listener: port 0 becomes a number, and connections arrive", async (t) => {
  const listener = await open(t, anyPort, sayHello);
  assert.ok(portOf(listener) > 0);
  assert.deepEqual(listener.endpoint, { kind: "tcp", host: "127.0.0.1", port: portOf(listener) });
  assert.equal(await greet({ port: portOf(listener), host: "127.0.0.1" }), "hello");
});

test("Listener: IPv6, which leaves IPv4's port free", { skip: noIpv6 }, async (t) => {
  const listener = await open(t, { kind: "tcp", host: "::", port: 0 }, sayHello);
  const port = portOf(listener);
  await open(t, { kind: "tcp", host: "0.0.0.0", port });
  assert.equal(await greet({ port, host: "::1" }), "hello");
});

test("Listener: after close nobody is accepted, and who was stays", async (t) => {
  const accepted: AcceptedTransport[] = [];
  const listener = await listenHere(anyPort, 16, (transport) => accepted.push(transport));
  const target = { port: portOf(listener), host: "127.0.0.1" };
  const client = connect(target);
  await once(client, "connect");
  while (accepted.length === 0) await new Promise(setImmediate);
  listener.close();
  const [error] = await once(connect(target), "error");
  assert.equal(error.code, "ECONNREFUSED");
  accepted[0]?.write(Buffer.from("still here"));
  const [chunk] = (await once(client, "data")) as [Buffer];
  assert.equal(chunk.toString(), "still here");
  client.destroy();
  t.after(() => accepted[0]?.destroy());
});
