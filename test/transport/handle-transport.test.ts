import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { probeHandles } from "../../src/tls/probe-handles.ts";
import { TlsAcceptor } from "../../src/tls/tls-acceptor.ts";
import { WritePool } from "../../src/transport/handle-pool.ts";
import { HandleTransport } from "../../src/transport/handle-transport.ts";
import { findNodeInternals, type NodeInternals, type StreamHandle } from "../../src/transport/node-internals.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { listenHere } from "../support/listen-here.ts";
import { readKey } from "../support/tls-client.ts";
import { testMaterial, testTlsRules } from "../support/transports.ts";

/** What libuv has still to give, a byte at a time, as long as somebody reads. */
class FakeHandle implements StreamHandle {
  readonly writeQueueSize = 0;
  onread: (this: StreamHandle) => void = () => undefined;
  isReading = false;

  /** @returns how many were read before it was told to stop */
  give(most: number): number {
    let given = 0;
    for (; given < most && this.isReading; given += 1) this.onread.call(this);
    return given;
  }

  readStart(): number {
    this.isReading = true;
    return 0;
  }

  readStop(): number {
    this.isReading = false;
    return 0;
  }

  useUserBuffer = (): number => 0;
  writeBuffer = (): number => 0;
  writev = (): number => 0;
  shutdown = (): number => 0;
  close = (): void => undefined;
}

/** Each read is told to be of one byte. */
const INTERNALS: NodeInternals = {
  WriteWrap: class {},
  ShutdownWrap: class {},
  streamBaseState: Int32Array.of(1, 0),
  kReadBytesOrError: 0,
  kLastWriteWasAsync: 1,
  wrapTls: () => {
    throw new Error("no TLS");
  },
};

function openEnd() {
  const handle = new FakeHandle();
  const ignore = (): void => undefined;
  const end = new HandleTransport(handle, new WritePool(INTERNALS), { address: "unix", port: 0 });
  end.start({ onBytes: ignore, onEnd: ignore, onDrained: ignore, onClosed: ignore }, assert.ifError);
  return { end, handle };
}

const MANY = 100_000;

test("HandleTransport: who sends in small pieces lets others have their turn", async () => {
  const { handle } = openEnd();
  const row = handle.give(MANY);
  assert.ok(row < 1000, `${row} reads in a row`);
  await turn();
  assert.equal(handle.give(MANY), row);
});

test("HandleTransport: it does not read on before the others had their turn, nor while it is paused", async () => {
  const { end, handle } = openEnd();
  handle.give(MANY);
  end.pause();
  end.resume();
  assert.equal(handle.isReading, false);
  end.pause();
  await turn();
  assert.equal(handle.isReading, false);
  end.resume();
  assert.equal(handle.isReading, true);
});

test("HandleTransport: it does not read on when it was cut meanwhile", async () => {
  const { end, handle } = openEnd();
  handle.give(MANY);
  end.cut();
  await turn();
  assert.equal(handle.isReading, false);
});

const withoutHandles = findNodeInternals().kind === "missing" && "Node withholds its handles";

// TLS would wait for ever for its tickets to be written, and everything that is written after them waits behind them.
test("HandleTransport: a client that resets after its handshake is lost", { skip: withoutHandles }, async () => {
  const isWhole = await new Promise<boolean>((resolve, reject) => {
    const onSecure = async (stream: ByteStream): Promise<void> => {
      const ignore = (): void => undefined;
      stream.start({ onBytes: ignore, onEnd: ignore, onDrained: ignore, onClosed: resolve }, reject);
      stream.pause();
      // The kernel refuses the tickets meanwhile.
      await turn();
      await turn();
      stream.write(Buffer.from("hello"));
      stream.end();
    };
    shakeHandsAndReset((stream) => void onSecure(stream).catch(reject), reject).catch(reject);
  });
  assert.equal(isWhole, false);
});

/** The client's last part of the handshake (TLS 1.3) and its reset come at once. */
async function shakeHandsAndReset(
  onSecure: (stream: ByteStream) => void,
  onFault: (fault: unknown) => void,
): Promise<void> {
  const choice = await probeHandles();
  const acceptor = new TlsAcceptor({
    material: testMaterial(),
    rules: testTlsRules({ minVersion: "TLSv1.3" }),
    choice,
    maxHandshakes: 1,
    isTrustedProxy: undefined,
    onSecure: ({ transport }) => onSecure(transport),
    onFailed: (why) => onFault(new Error(why)),
    onLeft: () => onFault(new Error("the client left")),
    onFault,
  });
  const onAccepted = (stream: ByteStream): void => acceptor.accept(stream);
  const listener = await listenHere({ kind: "tcp", host: "127.0.0.1", port: 0 }, 16, onAccepted, choice);
  const { endpoint } = listener;
  if (endpoint.kind === "unix") throw new Error("TLS is for TCP");
  const socket = connect({ host: endpoint.host, port: endpoint.port });
  await once(socket, "connect");
  listener.close();
  let hasGreeted = false;
  const below = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(chunk);
      if (hasGreeted) socket.resetAndDestroy();
      hasGreeted = true;
      done();
    },
  });
  socket.on("data", (chunk) => below.push(chunk));
  connectTls({ socket: below, servername: "localhost", ca: readKey("ca.pem") }).on("error", () => undefined);
}
