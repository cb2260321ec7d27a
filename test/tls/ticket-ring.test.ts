/** Which key is for which ticket, and that clients resume their sessions while keys are replaced, on handles and on sockets. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { connect, type SecureVersion } from "node:tls";
import { answerTicket, introduceKey, type TicketRing } from "../../src/tls/ticket-ring.ts";
import { TlsAcceptor } from "../../src/tls/tls-acceptor.ts";
import type { TransportChoice } from "../../src/transport/transport-choice.ts";
import { listenHere } from "../support/listen-here.ts";
import { eachTransport, testMaterial, testTlsRules } from "../support/transports.ts";

const [A, B, C] = [1, 2, 3].map((byte) => Buffer.alloc(48, byte)) as [Buffer, Buffer, Buffer];
const nameOf = (key: Buffer) => key.subarray(0, 16);

const answers: [name: string, ring: TicketRing, shown: Buffer | undefined, outcome: number, key: Buffer][] = [
  ["a new ticket", [A, B], undefined, 1, A],
  ["one of the first key", [A, B], nameOf(A), 1, A],
  ["one of another key is renewed", [A, B], nameOf(B), 2, B],
  ["one of an unknown key", [A, B], nameOf(C), 0, A],
];
for (const [name, ring, shown, outcome, key] of answers) {
  test(`answerTicket: ${name}`, () => {
    const [found, hmacKey, aesKey, keyName, vector] = answerTicket(ring, shown);
    assert.equal(found, outcome);
    assert.deepEqual([keyName, hmacKey, aesKey], [key.subarray(0, 16), key.subarray(16, 32), key.subarray(32)]);
    assert.equal(vector.length, 16);
  });
}

test("answerTicket: no two tickets have the same initialization vector", () => {
  assert.notDeepEqual(answerTicket([A], undefined)[4], answerTicket([A], undefined)[4]);
});

const ways: [name: string, before: TicketRing, wanted: TicketRing, want: TicketRing][] = [
  ["a new first key", [A], [B, A], [A, B]],
  ["a new first key, and one that is dropped", [B, A], [C, B], [B, C]],
  ["the old one is dropped", [A], [B], [B]],
  ["all know it already", [A, B], [B, A], [B, A]],
  ["another key at the end", [A], [A, B], [A, B]],
];
for (const [name, before, wanted, want] of ways) {
  test(`introduceKey: ${name}`, () => assert.deepEqual(introduceKey(before, wanted), want));
}

async function open(t: TestContext, choice: TransportChoice) {
  const acceptor = new TlsAcceptor({
    material: { ...testMaterial(), ticketKeys: [A] },
    rules: testTlsRules(),
    choice,
    maxHandshakes: 1,
    isTrustedProxy: undefined,
    onSecure: ({ transport }) => {
      const ignore = (): undefined => undefined;
      transport.start({ onBytes: ignore, onEnd: ignore, onDrained: ignore, onClosed: ignore }, assert.ifError);
      transport.write(Buffer.from("welcome"));
      transport.end();
    },
    onLeft: () => assert.fail("a client left"),
    onFailed: assert.ifError,
    onFault: assert.ifError,
  });
  const wanted = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
  const listener = await listenHere(wanted, 16, (transport) => acceptor.accept(transport), choice);
  t.after(() => listener.close());
  const { endpoint } = listener;
  assert.ok(endpoint.kind === "tcp");
  const { port } = endpoint;
  const use = (...ring: Buffer[]): void => acceptor.renew({ ...testMaterial(), ticketKeys: ring });
  /** @returns whether the session was resumed, and the newest one */
  const visit = async (version: SecureVersion, session?: Buffer): Promise<readonly [boolean, Buffer]> => {
    const versions = { minVersion: version, maxVersion: version };
    const socket = connect({
      port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
      ...versions,
      ...(session && { session }),
    });
    t.after(() => socket.destroy());
    let newest: Buffer | undefined;
    socket.on("session", (one) => {
      newest = one;
    });
    socket.resume();
    await once(socket, "end");
    newest ??= socket.getSession();
    assert.ok(newest !== undefined);
    socket.end();
    return [socket.isSessionReused(), newest];
  };
  return { use, visit };
}

for (const { kind, choice } of eachTransport()) {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`${version} on a ${kind}: a session outlives its key, which is dropped when all clients have another`, async (t) => {
      const { use, visit } = await open(t, await choice);
      const [, old] = await visit(version);
      use(A, B);
      assert.equal((await visit(version, old))[0], true);
      use(B, A);
      const [isResumed, renewed] = await visit(version, old);
      assert.equal(isResumed, true);
      use(B);
      assert.equal((await visit(version, renewed))[0], true);
      assert.equal((await visit(version, old))[0], false);
      use(C, B);
      assert.equal((await visit(version, renewed))[0], true);
    });
  }
}
