// Not in --quick: real sockets of every kind.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls";
import fc from "fast-check";
import { milliseconds } from "../../src/base/units.ts";
import { WritePool } from "../../src/transport/handle-pool.ts";
import { HandleTransport } from "../../src/transport/handle-transport.ts";
import { findNodeInternals } from "../../src/transport/node-internals.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { streamOver } from "../../src/transport/transport-choice.ts";
import { Tunnel, type TunnelContext, type TunnelEnding } from "../../src/tunnel/tunnel.ts";
import { until } from "../support/until.ts";

interface Way {
  readonly name: string;
  readonly pool?: WritePool;
  /** Why it cannot be tried. */
  readonly skip: string | false;
}

const found = findNodeInternals();
const ways: readonly Way[] = [
  { name: "streams", skip: false },
  found.kind === "found"
    ? { name: "handles", pool: new WritePool(found.internals), skip: false }
    : { name: "handles", skip: found.why },
];

type OpenRig = (t: TestContext, options?: RigOptions) => Promise<Rig>;

/** Whatever carries the bytes, a splice does the same. */
function eachWay(name: string, run: (t: TestContext, openRig: OpenRig, way: Way) => Promise<void>): void {
  for (const way of ways) {
    test(`Tunnel on ${way.name}: ${name}`, { skip: way.skip }, (t) =>
      run(t, (rigTest, options) => openRigBy(way, rigTest, options), way),
    );
  }
}

const KIB = 1024;
const MIB = 1024 * KIB;
const MAX_UNSENT = 64 * KIB;

/** A connection: what our side has of it, and what the other side has. */
interface Line {
  readonly ours: Socket;
  readonly theirs: Socket;
}

interface Rig {
  readonly splice: Tunnel;
  /** What the tunnel has of them. */
  readonly streams: readonly [ByteStream, ByteStream];
  readonly faults: unknown[];
  readonly front: Line;
  readonly back: Line;
  readonly endings: TunnelEnding[];
}

type OpenLine = (t: TestContext) => Promise<Line>;

const overTcp: OpenLine = (t) => openLine(t, createServer({ allowHalfOpen: true }), { port: 0, host: "127.0.0.1" });

const overUnix: OpenLine = (t) => {
  const directory = mkdtempSync(join(tmpdir(), "comanche-splice-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return openLine(t, createServer({ allowHalfOpen: true }), { path: join(directory, "socket") });
};

/** A pre-shared key, so that no certificate is needed. */
const psk = { psk: Buffer.alloc(32, 7), identity: "test" };
const PSK_CIPHERS = { ciphers: "PSK-AES128-GCM-SHA256", maxVersion: "TLSv1.2" } as const;

const overTls: OpenLine = (t) => openTlsLine(t);

/** @param watch  given all bytes that our side sends, as they are on the wire */
async function openTlsLine(t: TestContext, watch?: (chunk: Buffer) => void): Promise<Line> {
  const server = createTlsServer({ ...PSK_CIPHERS, allowHalfOpen: true, pskCallback: () => psk.psk });
  const serverPort = await listen(server);
  const relay = createServer((client) => {
    const onward = connect(serverPort, "127.0.0.1");
    if (watch !== undefined) onward.on("data", watch);
    client.pipe(onward).pipe(client);
  });
  const port = watch === undefined ? serverPort : await listen(relay);
  const theirs = tlsConnect({
    ...PSK_CIPHERS,
    socket: connect({ port, host: "127.0.0.1", allowHalfOpen: true }),
    pskCallback: () => psk,
    checkServerIdentity: () => undefined,
  });
  const [ours] = (await once(server, "secureConnection")) as [Socket];
  relay.close();
  return closeAfter(t, server, { ours, theirs });
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function openLine(
  t: TestContext,
  server: Server,
  where: { port: number; host: string } | { path: string },
): Promise<Line> {
  server.listen(where);
  await once(server, "listening");
  const address = server.address() as AddressInfo | string;
  const target = typeof address === "string" ? { path: address } : { port: address.port, host: address.address };
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const theirs = connect({ ...target, allowHalfOpen: true });
  const [ours] = await accepted;
  return closeAfter(t, server, { ours, theirs });
}

function closeAfter(t: TestContext, server: Server, line: Line): Line {
  server.close();
  line.theirs.on("error", () => undefined);
  t.after(() => {
    line.ours.destroy();
    line.theirs.destroy();
  });
  return line;
}

interface RigOptions {
  readonly openFront?: OpenLine;
  readonly openBack?: OpenLine;
  readonly idleTimeout?: number;
  /** Called when the front is the tunnel's, and the back not yet. */
  readonly before?: (front: Line, back: Line) => Promise<void>;
}

async function openRigBy(way: Way, t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const { openFront = overTcp, openBack = overTcp, idleTimeout = 1000, before } = options;
  const [front, back] = [await openFront(t), await openBack(t)];
  const endings: TunnelEnding[] = [];
  const faults: unknown[] = [];
  const context: TunnelContext = {
    idleTimeout: milliseconds(idleTimeout),
    onGone: (gone, ending) => {
      assert.equal(gone, splice);
      endings.push(ending);
    },
    onFault: (fault) => faults.push(fault),
  };
  const streams = [streamOver(front.ours, way.pool), streamOver(back.ours, way.pool)] as const;
  const splice = new Tunnel(streams[0], context, milliseconds(0));
  t.after(() => splice.destroy());
  await before?.(front, back);
  splice.join(streams[1], milliseconds(0));
  return { splice, streams, faults, front, back, endings };
}

/** Whether our ends of both are closed, or being closed. */
const isCut = ({ streams }: Rig): boolean => streams.every(({ local }) => local === undefined);

const gone = ({ endings }: Rig): Promise<TunnelEnding> => until("the splice is gone", () => endings[0]);

async function takeToEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
}

/** Takes what arrives until there are `length` bytes. */
async function take(socket: Socket, length: number): Promise<string> {
  const chunks: Buffer[] = [];
  let got = 0;
  while (got < length) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) await once(socket, "readable");
    else {
      chunks.push(chunk);
      got += chunk.length;
    }
  }
  return Buffer.concat(chunks).toString();
}

/** What became of a socket that nobody here has closed: the code of its error, if it had one, or its end. */
function fateOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on("error", (error) => resolve("code" in error ? String(error.code) : error.message));
    socket.on("end", () => resolve("end"));
    socket.resume();
  });
}

/** Different at every place, so that bytes that are lost or exchanged are noticed. */
function numbered(size: number): Buffer {
  return Buffer.from(Uint32Array.from({ length: size / 4 }, (_, index) => index).buffer);
}

const lines: [name: string, openFront: OpenLine, openBack: OpenLine][] = [
  ["TCP to TCP", overTcp, overTcp],
  ["TCP to a Unix socket", overTcp, overUnix],
  ["TLS to TCP", overTls, overTcp],
  ["TCP to TLS", overTcp, overTls],
];
for (const [name, openFront, openBack] of lines) {
  eachWay(`${name}: the front ends first, and the back answers when it has all`, async (t, openRig) => {
    const rig = await openRig(t, { openFront, openBack });
    rig.front.theirs.end("question");
    assert.equal(String(await takeToEnd(rig.back.theirs)), "question");
    assert.deepEqual(rig.endings, []);
    const answer = takeToEnd(rig.front.theirs);
    rig.back.theirs.write("ans");
    rig.back.theirs.end("wer");
    assert.equal(String(await answer), "answer");
    assert.deepEqual(await gone(rig), { kind: "ended" });
    assert.deepEqual([rig.splice.fromFront, rig.splice.fromBack], [8, 6]);
  });

  eachWay(`${name}: the back ends first, and the front speaks on`, async (t, openRig) => {
    const rig = await openRig(t, { openFront, openBack });
    rig.back.theirs.end("greeting");
    assert.equal(String(await takeToEnd(rig.front.theirs)), "greeting");
    assert.deepEqual(rig.endings, []);
    const rest = takeToEnd(rig.back.theirs);
    rig.front.theirs.write("still ");
    rig.front.theirs.end("here");
    assert.equal(String(await rest), "still here");
    assert.deepEqual(await gone(rig), { kind: "ended" });
  });

  for (const [from, to] of [
    ["front", "back"],
    ["back", "front"],
  ] as const) {
    eachWay(`${name}: 64 MiB to a slow ${to} wait with the ${from}`, async (t, openRig) => {
      const rig = await openRig(t, { openFront, openBack });
      const content = numbered(64 * MIB);
      const [sender, reader] = [rig[from].theirs, rig[to].theirs];
      const most = watchBuffers(rig);
      sender.end(content);
      // Nobody reads: the kernel's buffers fill, then ours, and then the sender has to wait.
      const passed = (): number => rig.splice.fromFront + rig.splice.fromBack;
      await until("nothing moves any more", staysSame(passed));
      assert.ok(passed() < content.length, `${passed()} bytes were read, though nobody takes them`);
      let at = 0;
      for await (const chunk of reader) {
        assert.ok((chunk as Buffer).equals(content.subarray(at, at + chunk.length)), `at ${at}`);
        at += chunk.length;
        await turn();
      }
      assert.equal(at, content.length);
      // Beyond what may be unsent a read of 64 KiB, and what the paused stream had read already.
      assert.ok(most() <= MAX_UNSENT + 4 * 64 * KIB, `${most()} bytes were kept`);
      rig[to].theirs.end();
      assert.deepEqual(await gone(rig), { kind: "ended" });
    });
  }
}

/** The most bytes that the splice's sockets ever kept, looked at once a turn. */
function watchBuffers({ splice, front, back, endings }: Rig): () => number {
  let most = 0;
  const look = (): void => {
    most = Math.max(most, splice.unsent + front.ours.readableLength + back.ours.readableLength);
    if (endings.length === 0) setImmediate(look);
  };
  look();
  return () => most;
}

/** True when a number has been the same, and not 0, twenty times. */
function staysSame(read: () => number): () => boolean {
  let [last, times] = [0, 0];
  return () => {
    const now = read();
    times = now === last && now > 0 ? times + 1 : 0;
    last = now;
    return times === 20;
  };
}

for (const [name, openFront, openBack] of lines) {
  eachWay(`${name}: whatever is sent in whatever pieces arrives, both ways at once`, async (t, openRig) => {
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(pieces, pieces, fc.boolean(), async (up, down, isSlow) => {
        const rig = await openRig(t, { openFront, openBack });
        const [atBack, atFront] = [takeToEnd(rig.back.theirs), takeToEnd(rig.front.theirs)];
        const send = async (socket: Socket, sent: readonly Uint8Array[]): Promise<void> => {
          for (const piece of sent) {
            socket.write(piece);
            if (isSlow) await turn();
          }
          socket.end();
        };
        await Promise.all([send(rig.front.theirs, up), send(rig.back.theirs, down)]);
        assert.deepEqual(await Promise.all([atBack, atFront]), [Buffer.concat(up), Buffer.concat(down)]);
        assert.deepEqual(await gone(rig), { kind: "ended" });
      }),
      { numRuns: 12 },
    );
  });
}

for (const [name, openFront, openBack] of lines) {
  eachWay(`${name}: bytes that have waited, and an end behind them, are passed on`, async (t, openRig) => {
    const rig = await openRig(t, {
      openFront,
      openBack,
      before: async ({ theirs }) => {
        theirs.end("early");
        await once(theirs, "finish");
        for (let turns = 0; turns < 5; turns += 1) await turn();
      },
    });
    assert.equal(String(await takeToEnd(rig.back.theirs)), "early");
    rig.back.theirs.end("late");
    assert.equal(String(await takeToEnd(rig.front.theirs)), "late");
    assert.deepEqual(await gone(rig), { kind: "ended" });
    assert.deepEqual([rig.splice.fromFront, rig.splice.fromBack], [5, 4]);
  });
}

const cuts: [name: string, openFront: OpenLine, openBack: OpenLine, cutBack: string, cutFront: string][] = [
  ["TCP to TCP", overTcp, overTcp, "ECONNRESET", "ECONNRESET"],
  ["TCP to a Unix socket", overTcp, overUnix, "end", "ECONNRESET"],
];
for (const [name, openFront, openBack, fateOfBack, fateOfFront] of cuts) {
  eachWay(`${name}: a front that is reset cuts the back`, async (t, openRig) => {
    const rig = await openRig(t, { openFront, openBack });
    const fate = fateOf(rig.back.theirs);
    rig.front.theirs.resetAndDestroy();
    assert.equal(await fate, fateOfBack);
    assert.deepEqual(await gone(rig), { kind: "lost", side: "front" });
  });

  eachWay(`${name}: destroy cuts both sides, once`, async (t, openRig) => {
    const rig = await openRig(t, { openFront, openBack });
    const fates = [fateOf(rig.front.theirs), fateOf(rig.back.theirs)];
    rig.splice.destroy();
    rig.splice.destroy();
    assert.deepEqual(await Promise.all(fates), [fateOfFront, fateOfBack]);
    assert.deepEqual(await gone(rig), { kind: "destroyed" });
    rig.splice.destroy();
    rig.splice.sweep(milliseconds(1e9));
    await turn();
    assert.deepEqual(rig.endings, [{ kind: "destroyed" }]);
  });
}

/** The types of the TLS records in what was sent (RFC 8446 §5.1). */
function recordTypes(sent: readonly Buffer[]): readonly number[] {
  const all = Buffer.concat(sent);
  const types: number[] = [];
  for (let at = 0; at < all.length; at += 5 + all.readUInt16BE(at + 3)) types.push(all.readUInt8(at));
  return types;
}

const ALERT = 21;
const APPLICATION_DATA = 23;

eachWay("a back that is reset cuts the front, and TLS does not end as if all were there", async (t, openRig) => {
  const sent: Buffer[] = [];
  const rig = await openRig(t, { openFront: (test) => openTlsLine(test, (chunk) => sent.push(chunk)) });
  rig.back.theirs.write("half of");
  assert.equal(await take(rig.front.theirs, 7), "half of");
  rig.back.theirs.resetAndDestroy();
  await fateOf(rig.front.theirs);
  assert.deepEqual(await gone(rig), { kind: "lost", side: "back" });
  assert.equal(recordTypes(sent).at(-1), APPLICATION_DATA);
});

eachWay("an end in good order ends TLS with close_notify", async (t, openRig) => {
  const sent: Buffer[] = [];
  const rig = await openRig(t, { openFront: (test) => openTlsLine(test, (chunk) => sent.push(chunk)) });
  rig.back.theirs.end("whole");
  assert.equal(String(await takeToEnd(rig.front.theirs)), "whole");
  assert.equal(recordTypes(sent).at(-1), ALERT);
});

/** Asks at each of these moments, in milliseconds, and tells whether the splice was still there. */
function sweepAt(rig: Rig, ...moments: number[]): readonly boolean[] {
  return moments.map((now) => {
    rig.splice.sweep(milliseconds(now));
    return !isCut(rig);
  });
}

eachWay("idle for as long as it may be", async (t, openRig) => {
  const rig = await openRig(t, { idleTimeout: 1000 });
  assert.deepEqual(sweepAt(rig, 0, 999, 1000), [true, true, false]);
  assert.deepEqual(await gone(rig), { kind: "idle" });
});

for (const side of ["front", "back"] as const) {
  eachWay(`a byte of the ${side} and it is not idle`, async (t, openRig) => {
    const rig = await openRig(t, { idleTimeout: 1000 });
    rig[side].theirs.write("x");
    await once(rig[side === "front" ? "back" : "front"].theirs, "readable");
    assert.deepEqual(sweepAt(rig, 900, 1899, 1900), [true, true, false]);
  });
}

test("Tunnel on streams: who takes what was sent long ago is not idle", async (t) => {
  const rig = await openRigBy({ name: "streams", skip: false }, t, { idleTimeout: 1000 });
  rig.back.ours.cork();
  rig.front.theirs.write("much");
  await until("it is read", () => rig.splice.fromFront === 4);
  assert.deepEqual(sweepAt(rig, 100, 900), [true, true]);
  rig.back.ours.uncork();
  assert.equal(await take(rig.back.theirs, 4), "much");
  assert.deepEqual(sweepAt(rig, 1200, 2199, 2200), [true, true, false]);
});

eachWay("without a limit it may be idle for ever", async (t, openRig) => {
  const rig = await openRig(t, { idleTimeout: Number.POSITIVE_INFINITY });
  assert.deepEqual(sweepAt(rig, 1e15), [true]);
});

/** More than the kernel and we hold together. */
const MUCH = numbered(16 * MIB);

for (const [name, openFront, openBack] of lines) {
  eachWay(`${name}: a front that goes while it has much to take cuts the back`, async (t, openRig) => {
    const rig = await openRig(t, { openFront, openBack });
    const most = watchBuffers(rig);
    rig.back.theirs.write(MUCH);
    await until(
      "nothing moves any more",
      staysSame(() => rig.splice.fromBack),
    );
    assert.ok(most() > 0);
    rig.front.theirs.destroy();
    const ending = await gone(rig);
    assert.ok(ending.kind === "lost" && ending.side === "front", JSON.stringify(ending));
    assert.equal(isCut(rig), true);
  });

  eachWay(`${name}: destroyed while much waits both ways`, async (t, openRig) => {
    const rig = await openRig(t, { openFront, openBack });
    rig.back.theirs.write(MUCH);
    rig.front.theirs.write(MUCH);
    await until(
      "nothing moves any more",
      staysSame(() => rig.splice.fromBack + rig.splice.fromFront),
    );
    rig.splice.destroy();
    assert.deepEqual(await gone(rig), { kind: "destroyed" });
    for (let turns = 0; turns < 5; turns += 1) await turn();
    assert.equal(rig.endings.length, 1);
  });

  eachWay(`${name}: where all is quiet both sides are ended in good order`, async (t, openRig) => {
    const rig = await openRig(t, { openFront, openBack });
    rig.front.theirs.write("question");
    assert.equal(await take(rig.back.theirs, 8), "question");
    rig.splice.endIfQuiet(milliseconds(100), milliseconds(50));
    rig.splice.endIfQuiet(milliseconds(149), milliseconds(50));
    rig.back.theirs.write("answer");
    assert.equal(await take(rig.front.theirs, 6), "answer");
    const ends = [takeToEnd(rig.front.theirs), takeToEnd(rig.back.theirs)];
    rig.splice.endIfQuiet(milliseconds(150), milliseconds(50));
    rig.splice.endIfQuiet(milliseconds(200), milliseconds(50));
    assert.deepEqual((await Promise.all(ends)).map(String), ["", ""]);
    assert.deepEqual(rig.endings, []);
    rig.front.theirs.end();
    rig.back.theirs.end();
    assert.deepEqual(await gone(rig), { kind: "ended" });
  });

  eachWay(`${name}: what comes after both sides were ended cuts them`, async (t, openRig) => {
    const rig = await openRig(t, { openFront, openBack });
    rig.splice.endIfQuiet(milliseconds(0), milliseconds(0));
    assert.equal(String(await takeToEnd(rig.front.theirs)), "");
    rig.front.theirs.write("too late");
    assert.deepEqual(await gone(rig), { kind: "destroyed" });
    assert.equal(rig.splice.fromFront, 8);
  });
}

eachWay("destroyed in the moment in which it is ended", async (t, openRig) => {
  const rig = await openRig(t);
  rig.front.theirs.write("question");
  assert.equal(await take(rig.back.theirs, 8), "question");
  rig.splice.endIfQuiet(milliseconds(0), milliseconds(0));
  const fates = [fateOf(rig.front.theirs), fateOf(rig.back.theirs)];
  rig.splice.destroy();
  assert.deepEqual(await gone(rig), { kind: "destroyed" });
  await Promise.all(fates);
});

eachWay("what waits to be written is not quiet", async (t, openRig) => {
  const rig = await openRig(t);
  rig.back.theirs.write(MUCH);
  await until(
    "nothing moves any more",
    staysSame(() => rig.splice.fromBack),
  );
  rig.splice.endIfQuiet(milliseconds(0), milliseconds(0));
  const got = await take(rig.front.theirs, MUCH.length);
  assert.equal(got.length, MUCH.toString().length);
});

for (const [name, openFront, openBack] of lines) {
  eachWay(`${name}: what waits in one is not touched by another`, async (t, openRig) => {
    const [slow, busy] = [await openRig(t, { openFront, openBack }), await openRig(t, { openFront, openBack })];
    slow.front.theirs.end(MUCH);
    slow.back.theirs.end(MUCH);
    await until(
      "nothing moves any more",
      staysSame(() => slow.splice.fromFront + slow.splice.fromBack),
    );
    const other = Buffer.alloc(MIB, "#");
    const others = [takeToEnd(busy.front.theirs), takeToEnd(busy.back.theirs)];
    busy.front.theirs.end(other);
    busy.back.theirs.end(other);
    for (const got of await Promise.all(others)) assert.ok(got.equals(other));
    for (const got of await Promise.all([takeToEnd(slow.front.theirs), takeToEnd(slow.back.theirs)])) {
      assert.ok(got.equals(MUCH));
    }
  });
}

test("Tunnel on handles: a fault of ours ends that splice and nothing else", {
  skip: ways[1]?.skip ?? false,
}, async (t) => {
  const [, handles] = ways;
  assert.ok(handles !== undefined);
  const rig = await openRigBy(handles, t, { openFront: overTls });
  const fault = new Error("a fault");
  t.mock.method(Tunnel.prototype, "onBytes", () => {
    throw fault;
  });
  rig.front.theirs.write("x");
  assert.deepEqual(await gone(rig), { kind: "lost", side: "front" });
  assert.deepEqual(rig.faults, [fault]);
  assert.equal(isCut(rig), true);
});

eachWay("a front that is lost before there is a back is gone", async (t, _openRig, way) => {
  const { ours, theirs } = await overTcp(t);
  const endings: TunnelEnding[] = [];
  const context: TunnelContext = {
    idleTimeout: milliseconds(1000),
    onGone: (_tunnel, ending) => endings.push(ending),
    onFault: assert.ifError,
  };
  const stream = streamOver(ours, way.pool);
  const tunnel = new Tunnel(stream, context, milliseconds(0));
  theirs.end("early");
  stream.destroy();
  await until("it is gone", () => endings[0]);
  tunnel.destroy();
  await turn();
  assert.deepEqual(endings, [{ kind: "lost", side: "front" }]);
});

test("streamOver: on the handle of a socket that has connected, where handles may be used", {
  skip: ways[1]?.skip ?? false,
}, async (t) => {
  for (const openLine of [overTcp, overUnix, overTls]) {
    const stream = streamOver((await openLine(t)).ours, ways[1]?.pool);
    assert.ok(stream instanceof HandleTransport);
    stream.destroy();
  }
});
