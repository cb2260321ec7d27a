import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { milliseconds } from "../../src/base/units.ts";
import { encodeV1, encodeV2 } from "../../src/proxy/encode.ts";
import { openProxied } from "../../src/transport/proxy-opening.ts";
import type { ByteStream, Carrier, TransportEvents } from "../../src/transport/transport.ts";
import { settle } from "../support/connection-rig.ts";
import { FakeTransport } from "../support/fake-transport.ts";
import { listenHere } from "../support/listen-here.ts";
import { eachTransport } from "../support/transports.ts";

const client = { address: "192.0.2.1", port: 56324 };
const server = { address: "198.51.100.7", port: 443 };
const unix = { address: "unix", port: 0 };
const V1 = encodeV1(client, server);
const REQUEST = Buffer.from("GET / HTTP/1.1\r\n\r\n");
const GONE = "the client has disconnected";
const PATIENCE = 10_000;

/** Nobody has started it yet; what its events throw cuts it, as the real ones do. */
class FakeAccepted extends FakeTransport implements ByteStream {
  #events: TransportEvents | undefined;
  #isOver = false;

  override finish(): void {
    this.#isOver = true;
    super.finish();
  }

  override destroy(): void {
    this.#isOver = true;
    super.destroy();
  }

  start(events: TransportEvents, onFault: (fault: unknown) => void): void {
    const guarded = (handle: () => void): void => {
      try {
        handle();
      } catch (fault) {
        this.destroy();
        onFault(fault);
      }
    };
    this.#events = {
      onBytes: (chunk) => guarded(() => events.onBytes(chunk)),
      onEnd: () => guarded(() => events.onEnd()),
      onDrained: () => guarded(() => events.onDrained()),
      onClosed: (isWhole) => guarded(() => events.onClosed(isWhole)),
    };
    this.listen(this.#events);
  }

  deliver(chunk: Buffer): void {
    if (!this.#isOver && chunk.length > 0) this.#events?.onBytes(chunk);
  }

  readonly local = undefined;

  pass(chunk: Uint8Array): boolean {
    return this.write(Buffer.from(chunk));
  }

  cut(): void {
    this.destroy();
  }

  keepAlive(): void {}

  detach(): Carrier {
    throw new Error("there is nothing below");
  }
}

interface Options {
  readonly isTrusted: (address: string) => boolean;
  readonly patience: number;
  readonly onOpen: (transport: ByteStream) => void;
}

/** Starts each transport, unless the test does something else, and notes what happens. */
class Rig implements TransportEvents {
  readonly below = new FakeAccepted();
  readonly opened: ByteStream[] = [];
  readonly refused: string[] = [];
  readonly faults: unknown[] = [];
  readonly seen: string[] = [];
  received = "";

  constructor(options: Partial<Options> = {}) {
    const { isTrusted = () => true, patience = PATIENCE, onOpen } = options;
    openProxied(this.below, isTrusted, milliseconds(patience), {
      onOpen: () => {
        if (onOpen !== undefined) {
          onOpen(this.below);
          return;
        }
        this.opened.push(this.below);
        this.below.start(this, (fault) => this.faults.push(fault));
      },
      onRefused: (why) => this.refused.push(why),
      onLeft: () => this.refused.push("left"),
      onFault: (fault) => this.faults.push(fault),
    });
  }

  get transport(): ByteStream {
    return this.opened[0] ?? assert.fail("not open");
  }

  onBytes(chunk: Buffer): void {
    this.received += chunk.toString("latin1");
    if (this.seen.at(-1) !== "bytes") this.seen.push("bytes");
  }
  onEnd(): void {
    this.seen.push("end");
  }
  onDrained(): void {
    this.seen.push("drained");
  }
  onClosed(): void {
    this.seen.push("closed");
  }
}

const headers: [name: string, header: Uint8Array, peer: { address: string; port: number }][] = [
  ["version 1", V1, client],
  ["version 2", encodeV2(client, server), client],
  ["version 2 with TLVs", encodeV2(client, server, { authority: "example.com", alpn: "http/1.1" }), client],
  ["version 1, the proxy's own connection", encodeV1(unix, server), { address: "192.0.2.7", port: 54321 }],
  ["version 2, the proxy's own connection", encodeV2(unix, server), { address: "192.0.2.7", port: 54321 }],
];
for (const [name, header, peer] of headers) {
  test(`openProxied: ${name}: together with a request`, () => {
    const rig = new Rig();
    rig.below.send(Buffer.concat([header, REQUEST]));
    assert.equal(rig.received, REQUEST.toString(), "in the very turn");
    assert.deepEqual(rig.transport.peer, peer);
    assert.deepEqual([rig.opened.length, rig.refused, rig.faults], [1, [], []]);
  });

  test(`openProxied: ${name}: torn into bytes, and cut at every point`, () => {
    const input = Buffer.concat([header, REQUEST]);
    const byByte = new Rig();
    for (const [at, octet] of input.entries()) {
      byByte.below.send(Uint8Array.of(octet));
      assert.equal(byByte.opened.length, at < header.length - 1 ? 0 : 1, `after ${at + 1} bytes`);
    }
    assert.equal(byByte.received, REQUEST.toString());
    assert.deepEqual(byByte.transport.peer, peer);
    for (let at = 0; at <= input.length; at++) {
      const rig = new Rig();
      rig.below.send(input.subarray(0, at));
      rig.below.send(input.subarray(at));
      assert.equal(rig.received, REQUEST.toString());
      assert.deepEqual(rig.transport.peer, peer);
    }
  });
}

test("openProxied: a header alone opens, and tells of no bytes", () => {
  const rig = new Rig();
  rig.below.send(V1);
  assert.equal(rig.opened.length, 1);
  assert.deepEqual(rig.seen, []);
});

// ---- who is refused

const garbage: [name: string, data: string, why: string][] = [
  ["a request", "GET / HTTP/1.1\r\n\r\n", "not a PROXY header"],
  ["a request with P", "POST / HTTP/1.1\r\n\r\n", "not a PROXY header"],
  ["a TLS handshake", "\x16\x03\x01", "not a PROXY header"],
  ["a malformed header", "PROXY TCP4 1.2.3.4 x", "malformed v1 server address"],
  ["a line without end", `PROXY UNKNOWN ${"x".repeat(100)}`, "v1 line too long"],
];
for (const [name, data, why] of garbage) {
  test(`openProxied: ${name} is cut and told, once`, async () => {
    const rig = new Rig();
    rig.below.send(data);
    rig.below.send(Buffer.concat([V1, REQUEST]));
    await settle();
    assert.deepEqual([rig.refused, rig.opened, rig.faults, rig.below.take()], [[why], [], [], ""]);
    assert.equal(rig.below.isClosed, true);
  });
}

test("openProxied: who is not trusted is cut before he says anything", async () => {
  const asked: string[] = [];
  const rig = new Rig({ isTrusted: (address) => asked.push(address) === 0 });
  assert.deepEqual([asked, rig.refused], [["192.0.2.7"], ["not a trusted proxy"]]);
  rig.below.send(V1);
  await settle();
  assert.deepEqual([rig.opened, rig.refused.length, rig.below.isClosed], [[], 1, true]);
});

for (const patience of [PATIENCE, 3000]) {
  test(`openProxied: half a header and silence is waited for ${patience} ms`, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const rig = new Rig({ patience });
    t.mock.timers.tick(patience / 2);
    // Each byte in turn would else keep the place for ever.
    rig.below.send(V1.subarray(0, 20));
    t.mock.timers.tick(patience / 2 - 1);
    assert.deepEqual(rig.refused, []);
    t.mock.timers.tick(1);
    assert.deepEqual(rig.refused, ["the client sends nothing"]);
    await settle();
    assert.deepEqual([rig.refused.length, rig.below.isClosed], [1, true]);
  });
}

test("openProxied: after the header nobody is waited for", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const rig = new Rig();
  rig.below.send(V1);
  t.mock.timers.tick(1_000_000);
  assert.deepEqual([rig.refused, rig.below.isClosed], [[], false]);
});

const departures: [name: string, leave: (below: FakeAccepted) => void][] = [
  ["the proxy closes its side", (below) => below.halfClose()],
  ["the proxy vanishes", (below) => below.vanish()],
  ["we give up waiting", (below) => below.destroy()],
];
for (const [name, leave] of departures) {
  for (const length of [0, 20]) {
    for (const closesAtOnce of [false, true]) {
      test(`openProxied: ${name} after ${length} bytes, ${closesAtOnce ? "closed at once" : "closed later"}`, async (t) => {
        t.mock.timers.enable({ apis: ["setTimeout"] });
        const rig = new Rig();
        rig.below.closesAtOnce = closesAtOnce;
        if (length > 0) rig.below.send(V1.subarray(0, length));
        leave(rig.below);
        await settle();
        t.mock.timers.tick(1_000_000);
        const told = length === 0 ? "left" : GONE;
        assert.deepEqual([rig.refused, rig.opened, rig.below.isClosed], [[told], [], true]);
      });
    }
  }
}

// ---- what the owner does

test("openProxied: a connection that is turned away in onOpen hears nothing more", async () => {
  for (const closesAtOnce of [false, true]) {
    const rig = new Rig({
      onOpen: (transport) => {
        transport.start(rig, assert.ifError);
        transport.destroy();
      },
    });
    rig.below.closesAtOnce = closesAtOnce;
    rig.below.send(Buffer.concat([V1, REQUEST]));
    await settle();
    assert.deepEqual([rig.seen, rig.refused, rig.faults], [["closed"], [], []]);
  }
});

test("openProxied: after the close, whichever call brought it, no bytes come", async () => {
  const rig = new Rig({
    onOpen: (transport) => {
      transport.start(rig, assert.ifError);
      transport.finish();
    },
  });
  rig.below.closesAtOnce = true;
  rig.below.send(Buffer.concat([V1, REQUEST]));
  await settle();
  assert.deepEqual(rig.seen, ["closed"]);
});

test("openProxied: a transport may be destroyed instead of started", async () => {
  const rig = new Rig({ onOpen: (transport) => transport.destroy() });
  rig.below.send(Buffer.concat([V1, REQUEST]));
  await settle();
  assert.deepEqual([rig.seen, rig.refused, rig.faults, rig.below.isClosed], [[], [], [], true]);
});

test("openProxied: a transport that nobody takes is cut, as a fault of ours", async () => {
  const rig = new Rig({ onOpen: () => undefined });
  rig.below.send(Buffer.concat([V1, REQUEST]));
  await settle();
  assert.match(String(rig.faults), /neither started, detached nor destroyed/);
  assert.equal(rig.below.isClosed, true);
});

test("openProxied: what onOpen throws is told, and cuts", async () => {
  const fault = new Error("a fault of ours");
  const rig = new Rig({
    onOpen: () => {
      throw fault;
    },
  });
  rig.below.send(Buffer.concat([V1, REQUEST]));
  await settle();
  assert.deepEqual([rig.faults, rig.refused, rig.below.isClosed], [[fault], [], true]);
});

test("openProxied: what a handler throws goes to who has started the transport", async () => {
  const fault = new Error("a fault of ours");
  const told: unknown[] = [];
  const rig = new Rig({
    onOpen: (transport) => {
      const onBytes = (): void => {
        throw fault;
      };
      transport.start({ onBytes, onEnd: onBytes, onDrained: onBytes, onClosed: () => undefined }, (it) =>
        told.push(it),
      );
    },
  });
  rig.below.send(Buffer.concat([V1, REQUEST]));
  await settle();
  assert.deepEqual([told, rig.faults, rig.below.isClosed], [[fault], [], true]);
});

test("a proxied transport: calls and events pass through", async () => {
  const rig = new Rig();
  rig.below.send(Buffer.concat([V1, REQUEST]));
  const { transport, below } = rig;

  assert.equal(transport.write(Buffer.from("one "), Buffer.from("two ")), true);
  assert.deepEqual([below.take(), transport.unsent], ["one two ", 0]);
  below.room = 2;
  assert.equal(transport.write(Buffer.from("three")), false);
  assert.equal(transport.unsent, 3);
  below.read();
  assert.equal(below.take(), "three");

  transport.pause();
  below.send("waits");
  assert.deepEqual([below.isPaused, below.unread], [true, 5]);
  transport.resume();
  await settle();
  assert.equal(rig.received, `${REQUEST}waits`);

  below.halfClose();
  transport.end();
  await settle();
  assert.deepEqual([below.hasEnded, below.isClosed], [true, true]);
  assert.deepEqual(rig.seen, ["bytes", "drained", "bytes", "end", "closed"]);
});

for (const call of ["finish", "destroy"] as const) {
  test(`a proxied transport: ${call} closes`, async () => {
    const rig = new Rig();
    rig.below.send(V1);
    rig.transport[call]();
    await settle();
    assert.deepEqual([rig.seen, rig.below.isClosed, rig.refused], [["closed"], true, []]);
  });
}

// ---- over real sockets

const anyPort = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

for (const { kind, choice } of eachTransport()) {
  const open = async (t: TestContext, onAccepted: (transport: ByteStream) => void) => {
    const listener = await listenHere(anyPort, 16, onAccepted, await choice);
    t.after(() => listener.close());
    assert.ok(listener.endpoint.kind === "tcp");
    const socket = connect({ port: listener.endpoint.port, host: "127.0.0.1" });
    t.after(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  };

  test(`openProxied over ${kind}: the client's address comes back with what it sent`, async (t) => {
    const socket = await open(t, (below) =>
      openProxied(below, (address) => address === "127.0.0.1", milliseconds(PATIENCE), {
        onOpen: () => {
          const onBytes = (chunk: Buffer): void => {
            below.write(Buffer.from(`${below.peer.address} ${below.peer.port} ${chunk}`));
            below.finish();
          };
          const nothing = (): void => undefined;
          below.start({ onBytes, onEnd: nothing, onDrained: nothing, onClosed: nothing }, assert.ifError);
        },
        onRefused: assert.fail,
        onLeft: assert.fail,
        onFault: assert.ifError,
      }),
    );
    socket.write(Buffer.concat([V1, Buffer.from("hello")]));
    const [answer] = await once(socket, "data");
    assert.equal(String(answer), "192.0.2.1 56324 hello");
    await once(socket, "close");
  });

  test(`openProxied over ${kind}: who sends no header is cut`, async (t) => {
    const refused: string[] = [];
    const socket = await open(t, (below) =>
      openProxied(below, () => true, milliseconds(PATIENCE), {
        onOpen: () => assert.fail(),
        onRefused: (why) => refused.push(why),
        onLeft: assert.fail,
        onFault: assert.ifError,
      }),
    );
    socket.on("error", () => undefined);
    socket.resume().write("GET / HTTP/1.1\r\n\r\n");
    await once(socket, "close");
    assert.deepEqual(refused, ["not a PROXY header"]);
  });
}
