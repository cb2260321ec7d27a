/**
 * Who gets in by a handshake, on handles and on sockets alike.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import { connect, type SecureVersion, type TLSSocket } from "node:tls";
import { milliseconds } from "../../src/base/units.ts";
import { type SecureClient, TlsAcceptor, type TlsAcceptorOptions } from "../../src/tls/tls-acceptor.ts";
import type { TlsRules } from "../../src/tls/tls-context.ts";
import type { TransportChoice } from "../../src/transport/transport-choice.ts";
import { listenHere } from "../support/listen-here.ts";
import { readKey } from "../support/tls-client.ts";
import { eachTransport, testMaterial, testTlsRules } from "../support/transports.ts";
import { until } from "../support/until.ts";

const RULES = testTlsRules({ alpn: ["http/1.1"] });
const VERSIONS: readonly SecureVersion[] = ["TLSv1.2", "TLSv1.3"];
const OURS = "client-ca.pem";
const OTHERS = "ca.pem";

/** Says what it has got, and notes who came and who did not. */
class Door {
  readonly secure: SecureClient[] = [];
  readonly failures: string[] = [];
  received = "";
  readonly acceptor: TlsAcceptor;
  port = 0;

  constructor(choice: TransportChoice, authority: string, options: Partial<TlsAcceptorOptions> = {}) {
    this.acceptor = new TlsAcceptor({
      material: { ...testMaterial(), clientAuthorities: readKey(authority) },
      rules: RULES,
      choice,
      maxHandshakes: 10,
      isTrustedProxy: undefined,
      onSecure: (client) => {
        this.secure.push(client);
        client.transport.start(
          {
            onBytes: (chunk) => {
              this.received += chunk.toString("latin1");
              client.transport.write(Buffer.from("welcome"));
            },
            onEnd: () => client.transport.end(),
            onDrained: () => undefined,
            onClosed: () => undefined,
          },
          assert.ifError,
        );
      },
      onFailed: (why) => this.failures.push(why),
      onLeft: () => this.failures.push("left"),
      onFault: assert.ifError,
      ...options,
    });
  }

  static async open(
    t: TestContext,
    choice: TransportChoice,
    authority: string,
    options: Partial<TlsAcceptorOptions> = {},
  ): Promise<Door> {
    const door = new Door(choice, authority, options);
    const endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
    const listener = await listenHere(endpoint, 16, (transport) => door.acceptor.accept(transport), choice);
    t.after(() => listener.close());
    assert.ok(listener.endpoint.kind === "tcp");
    door.port = listener.endpoint.port;
    return door;
  }

  /** A client that sends its request right behind its part of the handshake. */
  visit(t: TestContext, version: SecureVersion, certificate?: string, session?: Buffer): TLSSocket {
    const socket = connect({
      port: this.port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
      ...(certificate === undefined ? {} : { cert: readKey(certificate), key: readKey(certificate) }),
      ...(session === undefined ? {} : { session }),
    });
    socket.on("error", () => undefined);
    t.after(() => socket.destroy());
    socket.write("let me in");
    return socket;
  }
}

/** Resolves also when it broke. */
function closed(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) => socket.resume().on("close", () => resolve()));
}

const SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/** By their last number, in the words of OpenSSL. */
const ALERTS: Readonly<Record<string, string>> = {
  40: "handshake failure",
  43: "unsupported certificate",
  45: "certificate expired",
  48: "unknown CA",
  116: "certificate required",
};

/** The alert that ends a visit. Records that follow it would be of the session that was refused. */
async function alertFor(
  t: TestContext,
  door: Door,
  version: SecureVersion,
  certificate?: string,
  suite?: string,
): Promise<string | undefined> {
  const below = connectTcp(door.port, "127.0.0.1");
  const records = new RecordCount();
  const carrier = new Duplex({
    read: () => undefined,
    write: (chunk, _encoding, done) => below.write(chunk, done),
    final: (done) => below.end(done),
  });
  below.on("data", (chunk: Buffer) => {
    records.count(chunk);
    carrier.push(chunk);
  });
  below.on("error", () => undefined).on("end", () => carrier.push(null));
  t.after(() => below.destroy());
  const client = connect({
    socket: carrier,
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ...(suite === undefined ? {} : { ciphers: suite }),
    ...(certificate === undefined ? {} : { cert: readKey(certificate), key: readKey(certificate) }),
  });
  let beforeLast = 0;
  client.on("secureConnect", () => {
    beforeLast = records.total;
    client.write("let me in");
  });
  const error: Error = await new Promise((resolve) => client.resume().on("error", resolve));
  await until("the server has ended the connection", () => below.readableEnded);
  if (version === "TLSv1.3") assert.equal(records.total - beforeLast, 1, "one record after the handshake");
  return ALERTS[/SSL alert number (\d+)/.exec(error.message)?.[1] ?? ""];
}

/** Records in a stream of bytes (RFC 8446 §5.1). */
class RecordCount {
  total = 0;
  #rest = Buffer.alloc(0);

  count(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 5 && this.#rest.length >= 5 + this.#rest.readUInt16BE(3)) {
      this.#rest = this.#rest.subarray(5 + this.#rest.readUInt16BE(3));
      this.total += 1;
    }
  }
}

for (const { kind, choice } of eachTransport()) {
  for (const version of VERSIONS) {
    const name = `TlsAcceptor on a ${kind}, ${version}`;

    test(`${name}: who shows a certificate of another authority never gets in, and no byte of his counts`, async (t) => {
      const door = await Door.open(t, await choice, OTHERS);
      for (let round = 0; round < 20; round += 1) {
        const socket = door.visit(t, version, "client.pem");
        await closed(socket);
      }
      await until("all are told", () => door.failures.length === 20);
      assert.deepEqual(new Set(door.failures), new Set(["the client's certificate is not valid: unknown CA"]));
      assert.deepEqual([door.secure.length, door.received], [0, ""]);
      assert.equal(door.acceptor.counts.underWay, 0);
    });

    test(`${name}: who shows none never gets in`, async (t) => {
      const door = await Door.open(t, await choice, OURS);
      const socket = door.visit(t, version);
      await closed(socket);
      assert.deepEqual([door.failures, door.secure.length], [["the client sent no certificate"], 0]);
    });

    test(`${name}: a session of one that was refused does not help him`, async (t) => {
      const door = await Door.open(t, await choice, OTHERS);
      let session: Buffer | undefined;
      const first = door.visit(t, version, "client.pem").on("session", (ticket) => {
        session = ticket;
      });
      await closed(first);
      const again = door.visit(t, version, "client.pem", session);
      await closed(again);
      assert.deepEqual([door.secure.length, door.received, door.failures.length], [0, "", 2]);
    });

    test(`${name}: who shows one of ours gets in, by a session too, and is known`, async (t) => {
      const door = await Door.open(t, await choice, OURS);
      let session: Buffer | undefined;
      for (const isResumed of [false, true]) {
        const socket = door.visit(t, version, "client.pem", session).on("session", (ticket) => {
          session = ticket;
        });
        assert.equal(String((await once(socket, "data"))[0]), "welcome");
        await until("there is a ticket", () => session !== undefined);
        const client = door.secure.at(-1);
        assert.deepEqual(client?.transport.peer.tls, { subject: "CN=client one" });
        assert.deepEqual([client?.session.isResumed, client?.session.proof.kind], [isResumed, "verified"]);
        assert.equal(client?.session.certificate?.subject, "CN=client one");
        assert.equal(client?.session.version, version);
        socket.destroy();
      }
      assert.deepEqual(door.acceptor.counts.resumed, 1);
    });

    test(`${name}: where it is optional, none is needed, and a foreign certificate is refused`, async (t) => {
      const rules: TlsRules = { ...RULES, clientVerify: "optional" };
      const door = await Door.open(t, await choice, OTHERS, { rules });
      const socket = door.visit(t, version);
      await once(socket, "data");
      assert.deepEqual(door.secure.at(-1)?.session.proof, { kind: "none" });
      assert.equal(await alertFor(t, door, version, "client.pem"), "unknown CA");
      assert.equal(door.secure.length, 1);
    });

    test(`${name}: where it is noted, a foreign certificate is as good as none`, async (t) => {
      const rules: TlsRules = { ...RULES, clientVerify: "note" };
      const door = await Door.open(t, await choice, OTHERS, { rules });
      for (const [certificate, kind] of [
        ["client.pem", "invalid"],
        [undefined, "none"],
      ] as const) {
        const socket = door.visit(t, version, certificate);
        await once(socket, "data");
        assert.deepEqual(door.secure.at(-1)?.transport.peer.tls, {});
        assert.equal(door.secure.at(-1)?.session.proof.kind, kind);
        socket.destroy();
      }
    });

    test(`${name}: a client that is refused gets the alert for it, and nothing behind it`, async (t) => {
      const none = version === "TLSv1.3" ? "certificate required" : "handshake failure";
      for (const [certificate, want] of [
        [undefined, none],
        ["client.pem", "unknown CA"],
        ["rsa.pem", "unsupported certificate"],
        ["expired.pem", "certificate expired"],
      ] as const) {
        const door = await Door.open(t, await choice, OTHERS);
        assert.equal(await alertFor(t, door, version, certificate), want);
        assert.deepEqual([door.secure.length, door.failures.length, door.acceptor.counts.underWay], [0, 1, 0]);
      }
    });

    test(`${name}: one that is destroyed as soon as it is known leaves nothing behind`, async (t) => {
      const door = await Door.open(t, await choice, OURS, { onSecure: ({ transport }) => transport.destroy() });
      const socket = door.visit(t, version, "client.pem");
      await closed(socket);
      assert.equal(door.acceptor.counts.underWay, 0);
    });
  }

  for (const suite of SUITES) {
    test(`TlsAcceptor on a ${kind}: a client that is refused gets its alert with ${suite}`, async (t) => {
      const door = await Door.open(t, await choice, OTHERS);
      assert.equal(await alertFor(t, door, "TLSv1.3", "client.pem", suite), "unknown CA");
    });
  }

  test(`TlsAcceptor on a ${kind}: half a handshake and silence is cut in time`, async (t) => {
    const rules: TlsRules = { ...RULES, handshakeTimeout: milliseconds(50) };
    const door = await Door.open(t, await choice, OURS, { rules });
    const relay = connectTcp(door.port, "127.0.0.1");
    t.after(() => relay.destroy());
    // Its ClientHello is sent, and nothing that the server answers ever reaches the client.
    const deaf = new Duplex({ read: () => undefined, write: (chunk, _encoding, done) => relay.write(chunk, done) });
    connect({ socket: deaf, rejectUnauthorized: false }).on("error", () => undefined);
    await until("somebody is told", () => door.failures.length === 1);
    assert.deepEqual(door.failures, ["timeout"]);
    assert.equal(door.acceptor.counts.underWay, 0);
    await door.acceptor.settled();
  });
}
