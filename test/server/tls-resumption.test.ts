/**
 * Sessions are resumed by whichever process a client comes back to: another worker, the next generation, another server
 * that has the same keys.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { clientPortsOf } from "../support/process-facts.ts";
import { keyPath, startTls, TlsClient, type TlsServer, visit } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
const KEYS = keyPath("ticket.key");
const TIMES = 20;
/** With two processes that take their share, one of them is left out by chance once in 2 to the power of so many. */
const MOST = 200;

/** Which worker has this connection. */
function holderOf({ server, tlsPort }: TlsServer, { socket }: TlsClient): Promise<number> {
  return until("a worker has the connection", () =>
    server.workers.find((pid) => clientPortsOf(pid, tlsPort).has(socket.localPort ?? 0)),
  );
}

for (const version of VERSIONS) {
  test(`${version}: sessions are resumed ${TIMES} times with two processes, by both`, async (t) => {
    const site = await startTls(t, { configuration: { processes: "2" } });
    let { session, isResumed } = await visit(site.tlsPort, { version });
    assert.equal(isResumed, false);
    const seen = new Set<number>();
    for (let times = 0; times < TIMES || (seen.size < 2 && times < MOST); times += 1) {
      assert.ok(session !== undefined, "there is no session");
      const client = await TlsClient.connect(site.tlsPort, { version, session });
      t.after(() => client.leave());
      assert.equal((await client.ask("/small.txt")).body.toString(), "small");
      assert.deepEqual([client.agreed.isResumed, client.agreed.version], [true, version], `visit ${times}`);
      seen.add(await holderOf(site, client));
      session = client.session ?? session;
    }
    assert.equal(seen.size, 2, "one process has served all");
  });
}

test("after a reload sessions from before are resumed, also where it has brought another ticket key", async (t) => {
  const { server, tlsPort } = await startTls(t, {
    configuration: { processes: "2", "tls-ticket-keys": "ticket.key, previous.key" },
    prepare: (top) => {
      for (const file of ["ticket.key", "previous.key"]) copyFileSync(KEYS, join(top, file));
    },
  });
  const sessions = await Promise.all(VERSIONS.map((version) => visit(tlsPort, { version })));
  const old = server.workers;
  writeFileSync(join(server.top, "ticket.key"), randomBytes(48));
  assert.equal((await server.run(t, "reload")).status, 0);
  await until("the old ones have gone", () => !server.workers.some((pid) => old.includes(pid)));
  for (const { session, version } of sessions) {
    for (let times = 0; times < 5; times += 1) {
      const again = await visit(tlsPort, { session, version: version === "TLSv1.2" ? "TLSv1.2" : "TLSv1.3" });
      assert.deepEqual([again.isResumed, again.version, again.status], [true, version, 200]);
    }
  }
});

function startTwo(
  t: TestContext,
  first: string | undefined,
  second: string | undefined,
): Promise<readonly TlsServer[]> {
  const starts = [first, second].map((keys) =>
    startTls(t, { configuration: keys === undefined ? {} : { "tls-ticket-keys": keys } }),
  );
  return Promise.all(starts);
}

const PAIRS: readonly [name: string, first: string | undefined, second: string | undefined, want: boolean][] = [
  ["that share tls-ticket-keys resume each other's sessions", KEYS, KEYS, true],
  ["that have keys of their own do not", undefined, undefined, false],
  ["of which one has the keys do not", KEYS, undefined, false],
];

for (const [name, first, second, want] of PAIRS) {
  test(`two servers ${name}`, async (t) => {
    const [one, other] = await startTwo(t, first, second);
    assert.ok(one !== undefined && other !== undefined);
    for (const version of VERSIONS) {
      const { session } = await visit(one.tlsPort, { version });
      const again = await visit(other.tlsPort, { version, session });
      assert.deepEqual([again.isResumed, again.status, again.version], [want, 200, version]);
    }
  });
}

test("a session that is not ours, or is damaged, costs a full handshake and nothing else", async (t) => {
  const { tlsPort } = await startTls(t);
  const { session } = await visit(tlsPort, { version: "TLSv1.2" });
  assert.ok(session !== undefined);
  const again = await visit(tlsPort, { session, version: "TLSv1.3" });
  assert.deepEqual([again.isResumed, again.status], [false, 200]);
});
