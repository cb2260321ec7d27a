/**
 * Who speaks no TLS to a terminator, ours and hitch, or does not go on with it: is cut, gets nobody to the backend, and
 * keeps nobody else from being served.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { RawClient } from "../support/raw-client.ts";
import { Backend } from "../support/terminator-backend.ts";
import { assertJoined, tunnel } from "../support/terminator-caller.ts";
import { printed, startComanche } from "../support/terminator-comanche.ts";
import { testBoth } from "../support/terminator-programs.ts";
import { clientHello } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

/** Long before a handshake takes too long. */
/** Before tls-handshake-timeout, which is 10 s. */
const SOON = { patience: 9000 };

const HANDSHAKE_HEAD = [0x16, 0x03, 0x01];
const BAD: readonly [what: string, bytes: Uint8Array][] = [
  ["plain HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
  ["garbage", Buffer.from("\0\x01\x02garbage\r\n\r\n")],
  ["SSH", Buffer.from("SSH-2.0-x\r\n")],
  ["a handshake record of garbage", Uint8Array.from([...HANDSHAKE_HEAD, 0, 5, 9, 9, 9, 9, 9])],
  ["a record that is too long", Uint8Array.from([...HANDSHAKE_HEAD, 0xff, 0xff, ...Array(600).fill(1)])],
  ["a ClientHello that is too long", Uint8Array.from([...HANDSHAKE_HEAD, 0, 5, 1, 0xff, 0xff, 0xff, 3])],
  ["an alert", Uint8Array.from([0x15, 3, 3, 0, 2, 2, 0x28])],
];

testBoth("what is no TLS is cut at once", async (t, program) => {
  const backend = await Backend.start(t, "waits");
  const { port } = await program.start(t, { backend: backend.place });
  for (const [what, bytes] of BAD) {
    await t.test(what, async (t) => {
      const client = await raw(t, port);
      client.send(bytes);
      await until("it is cut", () => client.ended, SOON);
      await assertServesOn(t, port, backend);
    });
  }
});

testBoth("who leaves before the handshake is done is let go of", async (t, program) => {
  const backend = await Backend.start(t, "waits");
  const { port } = await program.start(t, { backend: backend.place });
  const hello = await clientHello(t);
  const starts: readonly [what: string, bytes: Uint8Array][] = [
    ["without a byte", hello.subarray(0, 0)],
    ["after one byte", hello.subarray(0, 1)],
    ["after half a ClientHello", hello.subarray(0, hello.length >> 1)],
    ["after the ClientHello", hello],
  ];
  for (const [what, bytes] of starts) {
    await t.test(what, async (t) => {
      const client = await raw(t, port);
      client.send(bytes);
      client.halfClose();
      await until("it is let go of", () => client.ended, SOON);
      await assertServesOn(t, port, backend);
    });
  }
});

testBoth("who is silent keeps nobody from being served", async (t, program) => {
  const backend = await Backend.start(t, "waits");
  const { port } = await program.start(t, { backend: backend.place });
  const hello = await clientHello(t);
  for (const length of [0, 1, hello.length >> 1, hello.length]) {
    const client = await raw(t, port);
    client.send(hello.subarray(0, length));
    await assertServesOn(t, port, backend);
    assert.equal(client.ended, false);
  }
});

async function raw(t: TestContext, port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  t.after(() => client.destroy());
  return client;
}

/** The next client is the next that the backend hears of. */
async function assertServesOn(t: TestContext, port: number, backend: Backend): Promise<void> {
  const before = backend.count;
  await assertJoined(await tunnel(t, port, backend));
  assert.equal(backend.count, before + 1);
}

test("comanche tls: silence is cut after tls-handshake-timeout, wherever it begins", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port } = await startComanche(t, { backend: backend.place }, ["--tls-handshake-timeout", "1s"]);
  const hello = await clientHello(t);
  const silences = [0, 1, hello.length >> 1, hello.length].map(async (length) => {
    const began = performance.now();
    const client = await raw(t, port);
    client.send(hello.subarray(0, length));
    await until("it is cut", () => client.ended);
    const took = performance.now() - began;
    // The default would be 10 s.
    assert.ok(took > 900 && took < 9500, `after ${length} bytes: ${took} ms`);
  });
  await Promise.all(silences);
  await assertServesOn(t, port, backend);
});

test("comanche tls: the log tells why a client was cut, without its bytes", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port, command } = await startComanche(t, { backend: backend.place });
  const client = await raw(t, port);
  client.send(Buffer.from("GET /secret HTTP/1.1\r\n\r\n"));
  await until("it is cut", () => client.ended, SOON);
  const [line] = await printed(command, /^.*TLS handshake failed: .*$/m);
  assert.match(line, /connection from 127\.0\.0\.1 closed: TLS handshake failed: plain HTTP on a TLS port$/);
});
