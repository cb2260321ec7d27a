/**
 * What `comanche tls` does not wait for any longer: a backend that does not answer, a tunnel in which nothing moves, and at
 * a stop whoever is still there.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { errorCode } from "../../src/base/errors.ts";
import { ChildScript } from "../support/child-script.ts";
import { sha256 } from "../support/download.ts";
import { Backend } from "../support/terminator-backend.ts";
import { assertJoined, call, tunnel } from "../support/terminator-caller.ts";
import { printed, startComanche } from "../support/terminator-comanche.ts";

/** Since a moment before the limit of one second began; the defaults of all limits are 10 s or more. */
function assertOneSecond(began: number): void {
  const took = performance.now() - began;
  assert.ok(took > 900 && took < 9500, `${took} ms`);
}

/** @returns its port */
async function startDeafBackend(t: TestContext): Promise<number> {
  const deaf = new ChildScript("terminator-deaf-backend");
  t.after(() => deaf.kill());
  const port = Number(await deaf.nextLine());
  // With a queue of one, Linux takes two (listen(2)).
  for (let times = 0; times < 2; times += 1) {
    const waiting = connect(port, "127.0.0.1").on("error", () => undefined);
    t.after(() => waiting.destroy());
    await once(waiting, "connect");
  }
  return port;
}

test("connect-timeout: the client is cut when the backend does not answer", async (t) => {
  const place = { kind: "tcp", host: "127.0.0.1", port: await startDeafBackend(t) } as const;
  const { port, command } = await startComanche(t, { backend: place }, ["--connect-timeout", "1s"]);
  const began = performance.now();
  const { end } = await call(t, port);
  await end.ending();
  assertOneSecond(began);
  await printed(command, /127\.0\.0\.1.*cannot connect to the backend: timeout/);
});

test("idle-timeout: a tunnel in which nothing moves is cut, both ends of it, and no other", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port } = await startComanche(t, { backend: backend.place }, ["--idle-timeout", "1s"]);
  const busy = await tunnel(t, port, backend);
  const drip = setInterval(() => busy.server.send("."), 100);
  t.after(() => clearInterval(drip));
  const began = performance.now();
  const idle = await tunnel(t, port, backend);
  await Promise.all([idle.client.end.ending(), idle.server.ending()]);
  assertOneSecond(began);
  const so = busy.client.end.arrived.length;
  await busy.client.end.take(so + 5);
});

/** More than any buffer on the way holds. */
const LARGE = Buffer.from(Uint32Array.from({ length: 4 * 2 ** 20 }, (_, index) => Math.imul(index, 2654435761)).buffer);

test("TERM: nobody else gets in, what moves is let end, what is silent is ended; the status is 0", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port, command } = await startComanche(t, { backend: backend.place });
  const idle = await tunnel(t, port, backend);
  await assertJoined(idle);
  const busy = await tunnel(t, port, backend);
  await assertJoined(busy);
  const drip = setInterval(() => busy.server.send("."), 50);
  t.after(() => clearInterval(drip));
  await busy.client.end.take(1);
  command.signal("SIGTERM");
  for (const end of [idle.client.end, idle.server]) {
    await end.takeRest();
    end.end();
  }
  await assert.rejects(call(t, port), (error) => errorCode(error) === "ECONNREFUSED");
  clearInterval(drip);
  await busy.client.end.take(busy.client.end.arrived.length);
  busy.server.end(LARGE);
  const rest = await busy.client.end.takeRest();
  assert.equal(sha256(rest.subarray(rest.indexOf(LARGE.subarray(0, 64)))), sha256(LARGE));
  busy.client.end.end("bye");
  assert.match((await busy.server.takeRest()).toString(), /bye$/);
  const { status, signal, standardError } = await command.end;
  assert.deepEqual([status, signal], [0, null], standardError);
});

test("TERM: a silent tunnel does not hold it up, even if its ends do not answer an end", async (t) => {
  const backend = await Backend.start(t, "waits");
  // If it were held up, it would be for so long.
  const { port, command } = await startComanche(t, { backend: backend.place }, ["--grace", "100s"]);
  await assertJoined(await tunnel(t, port, backend));
  command.signal("SIGTERM");
  const began = performance.now();
  assert.equal((await command.end).status, 0);
  const took = performance.now() - began;
  assert.ok(took < 90_000, `${took} ms`);
});

test("TERM: a silent tunnel does not wait for somebody else who is slow to shake hands", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port, command } = await startComanche(t, { backend: backend.place }, [
    "--tls-handshake-timeout",
    "10m",
    "--grace",
    "10m",
  ]);
  const idle = await tunnel(t, port, backend);
  await assertJoined(idle);
  const slow = connect(port, "127.0.0.1");
  t.after(() => slow.destroy());
  await once(slow, "connect");
  // Whoever has connected after it is accepted after it.
  const other = await tunnel(t, port, backend);
  command.signal("SIGTERM");
  // Each wait is bounded by a minute.
  await Promise.all([idle, other].map(({ client }) => client.end.takeRest()));
  slow.destroy();
  assert.equal((await command.end).status, 0);
});

test("TERM: ends tunnels from before a reload too", async (t) => {
  const backend = await Backend.start(t, "waits");
  const terminator = await startComanche(t, { backend: backend.place });
  const { port, command } = terminator;
  const old = await tunnel(t, port, backend);
  await assertJoined(old);
  assert.equal(await terminator.reload(), "taken up");
  const young = await tunnel(t, port, backend);
  await assertJoined(young);
  await assertJoined(old);
  command.signal("SIGTERM");
  for (const end of [old.client.end, young.client.end, old.server, young.server]) {
    await end.takeRest();
    end.end();
  }
  assert.equal((await command.end).status, 0);
});

test("TERM: what moves longer than grace is cut; the status tells", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port, command } = await startComanche(t, { backend: backend.place }, ["--grace", "1s"]);
  const busy = await tunnel(t, port, backend);
  const drip = setInterval(() => busy.server.send("."), 50);
  t.after(() => clearInterval(drip));
  await busy.client.end.take(1);
  const began = performance.now();
  command.signal("SIGTERM");
  await busy.client.end.ending();
  assertOneSecond(began);
  clearInterval(drip);
  assert.equal((await command.end).status, 3);
});
