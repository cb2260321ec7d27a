import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { PeerAddress } from "../../src/base/endpoint.ts";
import { milliseconds } from "../../src/base/units.ts";
import { type OpeningDecision, openTransport } from "../../src/transport/opening.ts";
import { SocketTransport } from "../../src/transport/socket-transport.ts";

interface Pair {
  readonly client: Socket;
  readonly accepted: Socket;
}

async function openPair(t: TestContext): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  client.on("error", () => undefined);
  const [accepted] = (await once(server, "connection")) as [Socket];
  server.close();
  t.after(() => {
    client.destroy();
    accepted.destroy();
  });
  return { client, accepted };
}

type Outcome =
  | { readonly kind: "open"; readonly peer: PeerAddress | undefined; readonly header: string }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "left" };

/** Resolves with what comes first; what comes later is in `all`. */
function begin(socket: Socket, decide: (bytes: Buffer) => OpeningDecision, patience = 10_000) {
  const all: Outcome[] = [];
  const first = new Promise<Outcome>((resolve) => {
    const note = (outcome: Outcome): void => {
      all.push(outcome);
      resolve(outcome);
    };
    const transport = new SocketTransport(socket, peer);
    openTransport(transport, decide, milliseconds(patience), {
      onOpen: ({ peer }, header, rest) => {
        note({ kind: "open", peer, header: Buffer.from(header).toString("latin1") });
        transport.detach();
        socket.unshift(Buffer.from(rest));
      },
      onRefused: (why) => note({ kind: "refused", why }),
      onLeft: () => note({ kind: "left" }),
      onFault: assert.ifError,
    });
  });
  return { all, first };
}

async function readToEnd(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.resume();
  await once(socket, "end");
  return text;
}

const needMore: OpeningDecision = { kind: "need-more" };
const peer: PeerAddress = { address: "192.0.2.1", port: 7 };

/** A word in brackets is for us: `[x]rest`. */
function decideBrackets(bytes: Buffer): OpeningDecision {
  const text = bytes.toString("latin1");
  if (!text.startsWith("[")) return { kind: "refused", why: "no bracket", answer: "a bracket, please\n" };
  const end = text.indexOf("]");
  return end === -1 ? needMore : { kind: "open", consumed: end + 1, peer };
}

const pieces: [name: string, pieces: string[], left: string][] = [
  ["all at once", ["[ab]rest"], "rest"],
  ["in two", ["[a", "b]rest"], "rest"],
  ["byte by byte", [..."[ab]rest"], "rest"],
  ["nothing behind it", ["[ab]"], ""],
  ["a rest that comes later", ["[ab]", "rest"], "rest"],
];
for (const [name, sent, left] of pieces) {
  test(`openTransport: what was not for us can still be read: ${name}`, async (t) => {
    const { client, accepted } = await openPair(t);
    const { all, first } = begin(accepted, decideBrackets);
    client.setNoDelay();
    for (const piece of sent) {
      client.write(piece);
      await turn();
    }
    client.end();
    assert.deepEqual(await first, { kind: "open", peer, header: "[ab]" });
    assert.equal(await readToEnd(accepted), left);
    assert.equal(all.length, 1);
  });
}

test("openTransport: the socket is paused, so that nothing is lost before somebody listens", async (t) => {
  const { client, accepted } = await openPair(t);
  const { first } = begin(accepted, () => ({ kind: "open", consumed: 0, peer: undefined }));
  client.write("hello");
  assert.deepEqual(await first, { kind: "open", peer: undefined, header: "" });
  assert.equal(accepted.isPaused(), true);
  for (let i = 0; i < 10; i += 1) await turn();
  client.end(" world");
  assert.equal(await readToEnd(accepted), "hello world");
});

test("openTransport: decide is asked with all bytes so far", async (t) => {
  const { client, accepted } = await openPair(t);
  const seen: string[] = [];
  let wake: () => void = () => undefined;
  const { first } = begin(accepted, (received) => {
    seen.push(received.toString());
    wake();
    return received.length < 3 ? needMore : { kind: "open", consumed: 3, peer: undefined };
  });
  for (const letter of "abc") {
    const asked = new Promise<void>((resolve) => {
      wake = resolve;
    });
    client.write(letter);
    await asked;
  }
  await first;
  assert.deepEqual(seen, ["a", "ab", "abc"]);
});

test("openTransport: refused with an answer, which the client gets whole, and then the end", async (t) => {
  const { client, accepted } = await openPair(t);
  const { all, first } = begin(accepted, decideBrackets);
  const answer = readToEnd(client);
  client.write("x".repeat(100_000));
  assert.deepEqual(await first, { kind: "refused", why: "no bracket" });
  assert.equal(await answer, "a bracket, please\n");
  client.end();
  if (!accepted.closed) await once(accepted, "close");
  assert.equal(all.length, 1);
});

test("openTransport: refused without an answer: the end", async (t) => {
  const { client, accepted } = await openPair(t);
  const { all, first } = begin(accepted, () => ({ kind: "refused", why: "not this", answer: "" }));
  client.write("x");
  assert.deepEqual(await first, { kind: "refused", why: "not this" });
  assert.equal(accepted.destroyed, true);
  await readToEnd(client);
  assert.equal(all.length, 1);
});

const goodbyes: [name: string, leave: (client: Socket) => void][] = [
  ["closes its side", (client) => client.end()],
  ["closes", (client) => client.destroy()],
  ["resets", (client) => client.resetAndDestroy()],
];
for (const [name, leave] of goodbyes) {
  for (const said of ["", "[a"]) {
    test(`openTransport: a client that ${name} having said ${said === "" ? "nothing" : said} has gone`, async (t) => {
      const { client, accepted } = await openPair(t);
      let isHeard = said === "";
      let wake: () => void = () => undefined;
      const { all, first } = begin(accepted, (received) => {
        isHeard = received.toString() === said;
        wake();
        return decideBrackets(received);
      });
      if (!isHeard) {
        const heard = new Promise<void>((resolve) => {
          wake = resolve;
        });
        client.write(said);
        await heard;
      }
      const closed = new Promise<void>((resolve) => {
        accepted.once("close", () => resolve());
      });
      leave(client);
      const want: Outcome = said === "" ? { kind: "left" } : { kind: "refused", why: "the client has disconnected" };
      assert.deepEqual(await first, want);
      await closed;
      assert.equal(all.length, 1, "it is told once");
    });
  }
}

test("openTransport: a client that says nothing is cut in time", async (t) => {
  const { client, accepted } = await openPair(t);
  const ended = once(client.resume(), "end");
  const { first } = begin(accepted, decideBrackets, 20);
  assert.deepEqual(await first, { kind: "refused", why: "the client sends nothing" });
  await ended;
});

test("openTransport: one that never ends what it says is cut as well", async (t) => {
  const { client, accepted } = await openPair(t);
  // A byte that the server has not read when it cuts makes the end a reset.
  const isCut = new Promise<unknown>((resolve) => {
    client.once("end", resolve).once("error", resolve).resume();
  });
  const { first } = begin(accepted, () => needMore, 20);
  client.write("[");
  assert.deepEqual(await first, { kind: "refused", why: "the client sends nothing" });
  await isCut;
});

test("openTransport: once open, it leaves nothing on the socket but a handler of errors", async (t) => {
  const { client, accepted } = await openPair(t);
  const before = ["data", "close", "end"].map((name) => accepted.listenerCount(name));
  const { first } = begin(accepted, decideBrackets);
  client.write("[]");
  await first;
  assert.deepEqual(
    ["data", "close", "end"].map((name) => accepted.listenerCount(name)),
    before,
  );
  assert.ok(accepted.listenerCount("error") > 0);
});
