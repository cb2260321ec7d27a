/**
 * A record that cannot be opened (RFC 8446 §5.2: a fatal alert, and the connection ends), after the handshake: who sends one is
 * cut. What he sends behind it would otherwise be kept in memory, because nobody can open it any more.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { Backend } from "../support/terminator-backend.ts";
import { tunnel } from "../support/terminator-caller.ts";
import { startComanche } from "../support/terminator-comanche.ts";
import { startTls, visit } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
/** Application data of 100 bytes that nobody has sealed. */
const BROKEN = Buffer.concat([Buffer.from([23, 3, 3, 0, 100]), Buffer.alloc(100, 7)]);
/** Long before anything is idle for too long. */
/** Before tls-handshake-timeout, which is 10 s. */
const SOON = { patience: 9000 };

interface Visitor {
  readonly below: Socket;
  readonly isCut: () => boolean;
}

/** Shakes hands. @param behind  goes out in one piece with the last of the handshake */
async function enter(
  t: TestContext,
  port: number,
  version: (typeof VERSIONS)[number],
  behind: Buffer,
): Promise<Visitor> {
  const below = connectTcp(port, "127.0.0.1").setNoDelay();
  t.after(() => below.destroy());
  await once(below, "connect");
  let isCut = false;
  const noteCut = (): void => {
    isCut = true;
  };
  below.on("error", noteCut).on("end", noteCut).on("close", noteCut);
  let flights = 0;
  const line = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      flights += 1;
      below.write(flights === 2 ? Buffer.concat([chunk, behind]) : chunk);
      done();
    },
    writev(pieces, done) {
      flights += 1;
      const all = pieces.map(({ chunk }) => chunk as Buffer);
      below.write(Buffer.concat(flights === 2 ? [...all, behind] : all));
      done();
    },
  });
  below.on("data", (chunk) => line.push(chunk));
  const secure = connectTls({
    socket: line,
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
  });
  t.after(() => secure.destroy());
  secure.on("error", () => undefined);
  await Promise.race([once(secure, "secureConnect"), once(secure, "close")]);
  await until("the handshake is finished", () => flights >= 2);
  return { below, isCut: () => isCut };
}

const NOTHING = Buffer.alloc(0);

for (const version of VERSIONS) {
  test(`HTTPS: ${version}: a record that cannot be opened ends the connection`, async (t) => {
    const { tlsPort } = await startTls(t);
    const { below, isCut } = await enter(t, tlsPort, version, NOTHING);
    below.write(BROKEN);
    await until("it is cut", isCut, SOON);
    assert.equal((await visit(tlsPort)).status, 200);
  });

  test(`HTTPS: ${version}: so does one right behind the handshake`, async (t) => {
    const { tlsPort } = await startTls(t);
    const { isCut } = await enter(t, tlsPort, version, BROKEN);
    await until("it is cut", isCut, SOON);
  });

  test(`comanche tls: ${version}: a record that cannot be opened ends the tunnel`, async (t) => {
    const backend = await Backend.start(t, "waits");
    const { port } = await startComanche(t, { backend: backend.place });
    const { below, isCut } = await enter(t, port, version, NOTHING);
    below.write(BROKEN);
    await until("it is cut", isCut, SOON);
    await backend.next();
    await tunnel(t, port, backend);
  });

  test(`comanche tls: ${version}: so does one right behind the handshake`, async (t) => {
    const backend = await Backend.start(t, "waits");
    const { port } = await startComanche(t, { backend: backend.place });
    const { isCut } = await enter(t, port, version, BROKEN);
    await until("it is cut", isCut, SOON);
  });
}
