// Not in --quick: real sockets of every kind.

/**
 * What the connection relies on, asked of every transport over real sockets: the same tests for those on handles and those
 * on `net.Socket`.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Endpoint } from "../../src/base/endpoint.ts";
import type { TransportEvents } from "../../src/transport/transport.ts";
import { eachCarrier, type TransportPair as Pair } from "../support/transports.ts";

/** Notes what happens, and lets a test wait for it. */
class Witness implements TransportEvents {
  received = "";
  readonly seen: string[] = [];
  readonly faults: unknown[] = [];
  #wake: () => void = () => undefined;

  onBytes(chunk: Buffer): void {
    this.received += chunk.toString("latin1");
    if (this.seen.at(-1) !== "bytes") this.note("bytes");
    else this.#wake();
  }
  onEnd(): void {
    this.note("end");
  }
  onDrained(): void {
    this.note("drained");
  }
  onClosed(): void {
    this.note("closed");
  }

  note(what: string): void {
    this.seen.push(what);
    this.#wake();
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async untilSeen(what: string): Promise<void> {
    await this.until(() => this.seen.includes(what));
  }
}

const tcp: Endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 };

function unix(t: TestContext): Endpoint {
  const directory = mkdtempSync(join(tmpdir(), "comanche-transport-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return { kind: "unix", path: join(directory, "socket") };
}

/** Takes what arrives until there are `length` bytes. */
async function take(client: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let got = 0;
  const collect = (chunk: Buffer): void => {
    chunks.push(chunk);
    got += chunk.length;
  };
  client.on("data", collect);
  while (got < length) await once(client, "data");
  client.off("data", collect);
  return Buffer.concat(chunks);
}

async function takeToEnd(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  client.on("data", (chunk) => chunks.push(chunk));
  await once(client, "end");
  return Buffer.concat(chunks);
}

/** Different at every place, so that bytes that are lost or exchanged are noticed. */
function numbered(size: number): Buffer {
  return Buffer.from(Uint32Array.from({ length: size / 4 }, (_, index) => index).buffer);
}

const LARGE = numbered(30_000_000);
/** With the largest chunk more than a kernel takes. */
const ROUNDS = 100;

for (const { kind, families, peerFacts, cannotCount, cannotReset, openPair } of eachCarrier()) {
  for (const family of families) {
    const open = async (t: TestContext): Promise<Pair> => {
      const pair = await openPair(family === "tcp" ? tcp : unix(t));
      t.after(() => {
        pair.client.destroy();
        pair.transport.destroy();
      });
      return pair;
    };

    const openStarted = async (t: TestContext, witness = new Witness()): Promise<Pair & { witness: Witness }> => {
      const pair = await open(t);
      pair.transport.start(witness, (fault) => witness.faults.push(fault));
      return { ...pair, witness };
    };

    describe(`Transport on a ${kind}, ${family}`, () => {
      test("what the kernel takes at once is taken: true, and nothing is unsent", { skip: cannotCount }, async (t) => {
        const { client, transport } = await openStarted(t);
        for (const size of [1, 1000, 60_000]) {
          const chunk = Buffer.alloc(size, "x");
          assert.equal(transport.write(chunk), true);
          assert.equal(transport.unsent, 0);
          // It may be re-used at once.
          chunk.fill("y");
          assert.equal((await take(client, size)).toString("latin1"), "x".repeat(size));
          assert.equal(transport.write(Buffer.from("ab"), chunk), true);
          assert.equal((await take(client, size + 2)).toString("latin1"), `ab${"y".repeat(size)}`);
        }
      });

      for (const size of [1, 1000, 60_000, 200_000]) {
        test(`a chunk of ${size} bytes is the caller's again after true, or else once drained`, async (t) => {
          const { client, transport, witness } = await openStarted(t);
          client.pause();
          const all = take(client, ROUNDS * size);
          const chunk = Buffer.alloc(size);
          for (let round = 0; round < ROUNDS; round += 1) {
            if (!transport.write(chunk.fill(round))) {
              client.resume();
              await witness.untilSeen("drained");
              witness.seen.length = 0;
              client.pause();
            }
            chunk.fill("y");
          }
          client.resume();
          const want = Buffer.concat(Array.from({ length: ROUNDS }, (_, round) => Buffer.alloc(size, round)));
          assert.ok((await all).equals(want));
        });
      }

      test("what waits is unsent, moves while the client reads, and drains once", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        assert.equal(transport.write(Buffer.from("head"), LARGE), false);
        // From version 26 on Node's TLS begins a write only then.
        await turn();
        const { unsent } = transport;
        assert.ok(unsent > 10_000_000 && unsent < LARGE.length, `unsent: ${unsent}`);

        const marks = new Set<number>();
        client.on("data", () => marks.add(transport.unsent));
        const got = await take(client, LARGE.length + 4);
        assert.ok(got.equals(Buffer.concat([Buffer.from("head"), LARGE])));
        assert.equal(transport.unsent, 0);
        assert.ok(marks.size > 3, "unsent moves long before the end");
        assert.deepEqual(witness.seen, ["drained"]);
        assert.equal(transport.write(Buffer.from("more")), true);
      });

      test("one chunk after the other, each when the one before is drained", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        const all = take(client, 4 * LARGE.length);
        for (let count = 1; count <= 4; count += 1) {
          assert.equal(transport.write(LARGE), false);
          await witness.until(() => witness.seen.length === count);
        }
        assert.ok((await all).equals(Buffer.concat([LARGE, LARGE, LARGE, LARGE])));
        assert.deepEqual(witness.seen, ["drained", "drained", "drained", "drained"]);
      });

      test("a small write behind a full kernel waits too, and drains", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        client.pause();
        const piece = Buffer.alloc(10_000);
        while (transport.write(piece));
        client.resume();
        await witness.untilSeen("drained");
        assert.equal(transport.unsent, 0);
      });

      test("a large body from the client arrives as it was sent", async (t) => {
        const { client, witness } = await openStarted(t);
        client.write(LARGE);
        await witness.until(() => witness.received.length === LARGE.length);
        assert.ok(Buffer.from(witness.received, "latin1").equals(LARGE));
      });

      test("the client closes its side: we still answer, and then both sides are closed", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        client.end("request");
        await witness.untilSeen("end");
        assert.equal(witness.received, "request");
        assert.equal(transport.write(Buffer.from("answer")), true);
        assert.equal((await take(client, 6)).toString(), "answer");
        transport.end();
        assert.equal(witness.seen.includes("closed"), false, "no event comes during the call");
        await witness.untilSeen("closed");
        assert.deepEqual(witness.seen, ["bytes", "end", "closed"]);
        assert.equal(transport.write(Buffer.from("late")), false);
      });

      test("end inside onEnd", async (t) => {
        const witness = new Witness();
        let isDuring = false;
        witness.onEnd = () => {
          isDuring = true;
          pair.transport.end();
          isDuring = false;
        };
        witness.onClosed = () => witness.note(isDuring ? "closed during a call" : "closed");
        const pair = await openStarted(t, witness);
        pair.client.end();
        await witness.until(() => witness.seen.length > 0);
        assert.deepEqual(witness.seen, ["closed"]);
      });

      test("end closes our side alone", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        assert.equal(transport.write(Buffer.from("last")), true);
        transport.end();
        transport.end();
        assert.equal((await takeToEnd(client)).toString(), "last");
        client.write("still ");
        client.end("here");
        await witness.untilSeen("closed");
        assert.equal(witness.received, "still here");
        assert.deepEqual(
          witness.seen.filter((what) => what !== "end"),
          ["bytes", "closed"],
        );
      });

      test("end with bytes waiting: the client gets all of them, then the end", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        assert.equal(transport.write(LARGE), false);
        transport.end();
        assert.ok((await takeToEnd(client)).equals(LARGE));
        client.end();
        await witness.untilSeen("closed");
      });

      test("end with bytes waiting after the client's end: it gets all of them, then all is closed", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        client.end();
        await witness.untilSeen("end");
        assert.equal(transport.write(LARGE), false);
        transport.end();
        assert.ok((await takeToEnd(client)).equals(LARGE));
        await witness.untilSeen("closed");
      });

      test("the client's end while our end waits behind bytes cuts nothing off", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        assert.equal(transport.write(LARGE), false);
        transport.end();
        client.end();
        await once(client, "finish");
        for (let i = 0; i < 10; i += 1) await turn();
        assert.ok((await takeToEnd(client)).equals(LARGE));
        await witness.untilSeen("closed");
      });

      test("finish: the client gets what was written, and closed is told once", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        assert.equal(transport.write(Buffer.from("last words")) || transport.unsent === 0, true);
        transport.finish();
        transport.finish();
        assert.equal((await takeToEnd(client)).toString(), "last words");
        await witness.untilSeen("closed");
        assert.deepEqual(witness.seen, ["closed"]);
      });

      test("finish with bytes waiting: the client gets all of them, and closed follows its own end", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        assert.equal(transport.write(LARGE), false);
        transport.finish();
        assert.ok((await takeToEnd(client)).equals(LARGE));
        client.end();
        await witness.untilSeen("closed");
        assert.deepEqual(witness.seen, ["closed"]);
      });

      test("paused, the client feels it; resumed, everything comes", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        transport.pause();
        let isTaken = false;
        client.write(LARGE, () => {
          isTaken = true;
        });
        for (let i = 0; i < 10; i += 1) await turn();
        assert.equal(witness.received, "");
        assert.equal(isTaken, false);
        transport.resume();
        await witness.until(() => witness.received.length === LARGE.length);
      });

      test("the client's end waits behind a pause, and comes once however often we resume", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        transport.pause();
        client.end("last words");
        await once(client, "finish");
        for (let i = 0; i < 10; i += 1) await turn();
        assert.deepEqual(witness.seen, []);
        transport.resume();
        await witness.untilSeen("end");
        transport.pause();
        transport.resume();
        for (let i = 0; i < 10; i += 1) await turn();
        assert.deepEqual(witness.seen, ["bytes", "end"]);
        assert.equal(witness.received, "last words");
      });

      test("the client vanishes with our bytes waiting: closed, not drained", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        client.write("x");
        await witness.untilSeen("bytes");
        assert.equal(transport.write(LARGE), false);
        client.destroy();
        await witness.untilSeen("closed");
        assert.deepEqual(
          witness.seen.filter((what) => what !== "end"),
          ["bytes", "closed"],
        );
        assert.equal(transport.unsent, 0);
      });

      test("it vanishes so while we are paused", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        transport.pause();
        assert.equal(transport.write(LARGE), false);
        client.destroy();
        await witness.untilSeen("closed");
        assert.deepEqual(witness.seen, ["closed"]);
      });

      test("a write to a client that has vanished unnoticed", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        transport.pause();
        client.destroy();
        await once(client, "close");
        for (let tries = 0; transport.write(Buffer.from("x")); tries += 1) {
          assert.ok(tries < 1000, "it is never noticed");
          await turn();
        }
        assert.equal(transport.unsent, 0, "false without a byte that waits tells that the write failed");
        assert.deepEqual(witness.seen, [], "no event comes during the call");
        await witness.untilSeen("closed");
        assert.deepEqual(witness.seen, ["closed"]);
      });

      test("after the close every call is harmless", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        client.end();
        await witness.untilSeen("end");
        transport.end();
        await witness.untilSeen("closed");
        assert.equal(transport.write(Buffer.from("x")), false);
        assert.equal(transport.write(Buffer.from("x"), Buffer.from("y")), false);
        transport.pause();
        transport.resume();
        transport.end();
        transport.destroy();
        assert.equal(transport.unsent, 0);
        for (let i = 0; i < 10; i += 1) await turn();
        assert.deepEqual(witness.seen, ["end", "closed"]);
      });

      test("destroyed with bytes waiting: closed, not drained", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        client.pause();
        assert.equal(transport.write(LARGE), false);
        transport.destroy();
        assert.equal(transport.write(Buffer.from("x")), false);
        await witness.untilSeen("closed");
        for (let i = 0; i < 10; i += 1) await turn();
        assert.deepEqual(witness.seen, ["closed"]);
      });

      test("destroyed before anybody listens: the client sees it", async (t) => {
        const { client, transport } = await open(t);
        transport.destroy();
        client.resume();
        await once(client, "end");
      });

      test("destroyed inside onBytes: nothing comes but the close", async (t) => {
        const witness = new Witness();
        witness.onBytes = () => {
          witness.note("bytes");
          pair.transport.destroy();
        };
        const pair = await openStarted(t, witness);
        pair.client.write("x");
        pair.client.end("y");
        await witness.untilSeen("closed");
        for (let i = 0; i < 10; i += 1) await turn();
        assert.deepEqual(witness.seen, ["bytes", "closed"]);
      });

      const faulty: [handler: keyof TransportEvents, provoke: (pair: Pair) => void][] = [
        ["onBytes", ({ client }) => client.write("x")],
        ["onEnd", ({ client }) => client.end()],
        [
          "onDrained",
          ({ client, transport }) => {
            transport.write(LARGE);
            client.resume();
          },
        ],
        ["onClosed", ({ client }) => client.destroy()],
      ];
      for (const [handler, provoke] of faulty) {
        test(`what ${handler} throws cuts that connection and is told`, async (t) => {
          const fault = new Error("a fault of ours");
          const witness = new Witness();
          witness[handler] = () => {
            witness.note("thrown");
            throw fault;
          };
          // A client that destroys its socket has only ended its side; the connection closes with ours.
          if (handler === "onClosed") witness.onEnd = () => pair.transport.end();
          const pair = await openStarted(t, witness);
          // It may be told of the cut as an error first.
          const closed =
            handler === "onClosed" ? undefined : new Promise((resolve) => pair.client.once("close", resolve));
          provoke(pair);
          await witness.untilSeen(handler === "onClosed" ? "thrown" : "closed");
          pair.client.end();
          await closed;
          await turn();
          assert.deepEqual(witness.faults, [fault]);
        });
      }

      test("a reset throws away what the client has not taken", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        let got = 0;
        // Where libuv learns of a hang-up and of bytes at once, it reports an end, not the reset.
        const over = new Promise<void>((resolve) => {
          client.on("data", (chunk) => {
            got += chunk.length;
          });
          client.once("end", resolve).once("error", () => resolve());
        });
        client.pause();
        assert.equal(transport.write(LARGE), false);
        transport.reset();
        await witness.untilSeen("closed");
        client.resume();
        await over;
        // Our kernel had taken some megabytes, the client's no more than it gives a client that has not read.
        assert.ok(got < 1_000_000, `got ${got}`);
        transport.reset();
        assert.equal(witness.seen.filter((what) => what === "closed").length, 1);
      });

      test("the peer, which stays known when the client has gone", async (t) => {
        const { client, transport, witness } = await openStarted(t);
        client.write("x");
        await witness.untilSeen("bytes");
        const peer =
          family === "unix" ? { address: "unix", port: 0 } : { address: "127.0.0.1", port: client.localPort };
        assert.deepEqual(transport.peer, { ...peer, ...peerFacts });
        transport.destroy();
        await witness.untilSeen("closed");
        assert.deepEqual(transport.peer, { ...peer, ...peerFacts });
      });

      test("a client that reset before anybody asked is unknown", {
        skip: cannotReset ?? family === "unix",
      }, async (t) => {
        const { client, transport, witness } = await openStarted(t);
        transport.pause();
        client.resetAndDestroy();
        await once(client, "close");
        assert.ok(["unknown", "127.0.0.1"].includes(transport.peer.address));
        transport.resume();
        await witness.untilSeen("closed");
      });
    });
  }
}
