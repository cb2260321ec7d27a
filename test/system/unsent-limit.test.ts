import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { loadNative } from "../../src/system/native.ts";
import { limitUnsentBytes } from "../../src/system/unsent-limit.ts";
import { writeQueueSize } from "../../src/transport/node-internals.ts";

const loaded = await loadNative();
const skip = loaded.kind === "missing" ? loaded.why : false;
const MIB = 2 ** 20;

test("unsent limit: of 16 MiB for a client that reads nothing, the kernel takes less than one", { skip }, async () => {
  assert.ok(loaded.kind === "native");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const descriptor: unknown = Reflect.get(Reflect.get(server, "_handle"), "fd");
  assert.ok(typeof descriptor === "number");
  limitUnsentBytes([{ descriptor }], loaded.native);
  const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" }).pause();
  const [socket] = (await once(server, "connection")) as [Socket];
  socket.write(Buffer.alloc(16 * MIB));
  for (let turns = 0; turns < 10; turns += 1) await turn();
  const taken = 16 * MIB - (writeQueueSize(socket) ?? 0);
  assert.ok(taken > 0 && taken < MIB, `${taken}`);
  for (const each of [client, socket]) each.destroy();
  server.close();
});

test("unsent limit: what is no TCP socket does without", { skip }, () => {
  assert.ok(loaded.kind === "native");
  const descriptor = openSync("/dev/null", "r");
  limitUnsentBytes([{ descriptor }], loaded.native);
  closeSync(descriptor);
});
