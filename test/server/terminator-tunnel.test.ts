/**
 * Bytes through a terminator, ours and hitch: all of them, in order, and each end as an end. Who is cut, is cut alone.
 */
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { type TestContext, test } from "node:test";
import type { Endpoint } from "../../src/base/endpoint.ts";
import { sha256 } from "../support/download.ts";
import { makeTree } from "../support/file-tree.ts";
import { Backend } from "../support/terminator-backend.ts";
import { assertJoined, call, tunnel } from "../support/terminator-caller.ts";
import { startComanche } from "../support/terminator-comanche.ts";
import { testBoth } from "../support/terminator-programs.ts";
import { type SealedRecord, type Tap, tap } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
type Version = (typeof VERSIONS)[number];

// ---- ends

/** Of TLS 1.2, where its type is not sealed (RFC 5246 §6.2.1). */
const ALERT = 21;
/** Of TLS 1.3: level, description, type, and the tag (RFC 8446 §5.2). */
const SEALED_ALERT_BYTES = 19;

function isAlert({ type, length }: SealedRecord, version: Version): boolean {
  return version === "TLSv1.2" ? type === ALERT : length === SEALED_ALERT_BYTES;
}

async function assertCloseNotify(wire: Tap, version: Version): Promise<void> {
  await until(
    "the last record is an alert",
    () => {
      const last = wire.records().at(-1);
      return last !== undefined && isAlert(last, version);
    },
    { facts: () => JSON.stringify(wire.records()) },
  );
}

testBoth("the backend ends: the client has all that came before, and close_notify", async (t, program) => {
  const backend = await Backend.start(t, "waits");
  const { port } = await program.start(t, { backend: backend.place });
  for (const version of VERSIONS) {
    await t.test(version, async (t) => {
      const wire = await tap(t, port);
      const joined = await tunnel(t, wire.port, backend, { version });
      await assertJoined(joined);
      joined.server.end("the last words");
      assert.equal((await joined.client.end.takeRest()).toString(), "the last words");
      await assertCloseNotify(wire, version);
      joined.client.end.end();
      await joined.server.takeRest();
    });
  }
});

testBoth("the client ends: the backend has all that came before, and an end", async (t, program) => {
  const backend = await Backend.start(t, "waits");
  const { port } = await program.start(t, { backend: backend.place });
  for (const version of VERSIONS) {
    await t.test(version, async (t) => {
      const joined = await tunnel(t, port, backend, { version });
      await assertJoined(joined);
      joined.client.end.end("the last words");
      assert.equal((await joined.server.takeRest()).toString(), "the last words");
    });
  }
});

testBoth("a backend that is not there: the client is cut, and the next is served once it is", async (t, program) => {
  const gone = await Backend.start(t, "waits");
  const { port } = await program.start(t, { backend: gone.place });
  await gone.close();
  for (const version of VERSIONS) {
    const { end } = await call(t, port, { version });
    const ending = await end.ending();
    assert.ok(ending.kind === "ended" || ending.why !== "ECONNRESET", "a reset");
    assert.equal(end.arrived.length, 0);
  }
  const backend = await Backend.start(t, "waits", gone.port);
  await assertJoined(await tunnel(t, port, backend));
});

// hitch closes both sides when one has ended, and makes an orderly end of a reset.

test("comanche tls: a client that has ended gets a late answer", async (t) => {
  const { backend, port } = await startWaiting(t);
  for (const version of VERSIONS) {
    await t.test(version, async (t) => {
      const { client, server } = await tunnel(t, port, backend, { version });
      client.end.end("question");
      assert.equal((await server.takeRest()).toString(), "question");
      server.send("a late ");
      assert.equal((await client.end.take(7)).toString(), "a late ");
      server.end("answer");
      assert.equal((await client.end.takeRest()).toString(), "answer");
    });
  }
});

test("comanche tls: a backend that has ended gets what the client still says", async (t) => {
  const { backend, port } = await startWaiting(t);
  for (const version of VERSIONS) {
    await t.test(version, async (t) => {
      const { client, server } = await tunnel(t, port, backend, { version });
      server.end("greeting");
      assert.equal((await client.end.takeRest()).toString(), "greeting");
      client.end.send("a late ");
      assert.equal((await server.take(7)).toString(), "a late ");
      client.end.end("answer");
      assert.equal((await server.takeRest()).toString(), "answer");
    });
  }
});

test("comanche tls: where the backend resets, the client is cut without close_notify", async (t) => {
  const { backend, port } = await startWaiting(t);
  for (const version of VERSIONS) {
    await t.test(version, async (t) => {
      const wire = await tap(t, port);
      const joined = await tunnel(t, wire.port, backend, { version });
      await assertJoined(joined);
      joined.server.socket.resetAndDestroy();
      await joined.client.end.ending();
      const last = wire.records().at(-1);
      assert.ok(last !== undefined && !isAlert(last, version), JSON.stringify(wire.records()));
    });
  }
});

test("comanche tls: where the client resets, the backend is reset", async (t) => {
  const { backend, port } = await startWaiting(t);
  for (const version of VERSIONS) {
    await t.test(version, async (t) => {
      const joined = await tunnel(t, port, backend, { version });
      await assertJoined(joined);
      joined.client.reset();
      assert.deepEqual(await joined.server.ending(), { kind: "lost", why: "ECONNRESET" });
    });
  }
});

async function startWaiting(t: TestContext): Promise<{ readonly backend: Backend; readonly port: number }> {
  const backend = await Backend.start(t, "waits");
  const { port } = await startComanche(t, { backend: backend.place });
  return { backend, port };
}

// ---- bytes

/** More than any buffer on the way holds. */
const LARGE = Buffer.from(Uint32Array.from({ length: 4 * 2 ** 20 }, (_, index) => Math.imul(index, 2654435761)).buffer);

for (const direction of ["client", "backend"] as const) {
  testBoth(`16 MiB come byte for byte to the ${direction}, who does not read at first`, async (t, program) => {
    const backend = await Backend.start(t, "waits");
    const { port } = await program.start(t, { backend: backend.place });
    for (const version of VERSIONS) {
      await t.test(version, async (t) => {
        const { client, server } = await tunnel(t, port, backend, { version });
        const [from, to] = direction === "client" ? [server, client.end] : [client.end, server];
        to.socket.pause();
        from.end(LARGE);
        await until(
          "nothing moves any more",
          stands(() => from.socket.writableLength),
        );
        assert.ok(from.socket.writableLength > 0, "all of it is kept on the way");
        to.socket.resume();
        assert.equal(sha256(await to.takeRest()), sha256(LARGE));
      });
    }
  });
}

/** Whether a number has been the same in so many looks. */
function stands(count: () => number): () => boolean {
  const LOOKS = 20;
  let [last, times] = [-1, 0];
  return () => {
    const now = count();
    times = now === last ? times + 1 : 0;
    last = now;
    return times >= LOOKS;
  };
}

testBoth("a hundred clients at a time: each has a connection of its own", async (t, program) => {
  const CLIENTS = 100;
  const backend = await Backend.start(t, "echoes");
  const { port } = await program.start(t, { backend: backend.place, workers: 2 });
  const said = Array.from({ length: CLIENTS }, (_, index) => `${index} `.repeat(1000 + index));
  const heard = said.map(async (words) => {
    const { end } = await call(t, port);
    end.send(words);
    const echo = await end.take(words.length);
    end.end();
    await end.takeRest();
    return echo.toString();
  });
  assert.deepEqual(await Promise.all(heard), said);
  assert.equal(backend.count, CLIENTS);
});

// ---- places

testBoth("a backend on a Unix socket", async (t, program) => {
  const top = makeTree(t);
  chmodSync(top, 0o755);
  const backend = await Backend.start(t, "waits", `${top}/backend`);
  const { port } = await program.start(t, { backend: backend.place });
  const joined = await tunnel(t, port, backend);
  await assertJoined(joined);
  joined.client.end.end("bye");
  assert.equal((await joined.server.takeRest()).toString(), "bye");
});

testBoth("a backend by its name", async (t, program) => {
  const backend = await Backend.start(t, "waits");
  const place: Endpoint = { kind: "tcp", host: "localhost", port: backend.port };
  const { port } = await program.start(t, { backend: place });
  await assertJoined(await tunnel(t, port, backend));
});
