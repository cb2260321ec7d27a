/**
 * Sessions that a terminator with two processes has given out, ours and hitch, are resumed by both processes; ours also
 * after HUP and by another one with the same keys.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { childrenOf, clientPortsOf } from "../support/process-facts.ts";
import type { Terminator } from "../support/terminator.ts";
import { Backend } from "../support/terminator-backend.ts";
import { assertJoined, greet, tunnel } from "../support/terminator-caller.ts";
import { startComanche } from "../support/terminator-comanche.ts";
import { testBoth } from "../support/terminator-programs.ts";
import { keyPath } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
const TIMES = 20;
/** With two processes that take their share, one of them is left out by chance once in 2 to the power of so many. */
const MOST = 200;

for (const version of VERSIONS) {
  testBoth(`${version}: ${TIMES} sessions are resumed with two processes, by both`, async (t, program) => {
    const backend = await Backend.start(t, "waits");
    const terminator = await program.start(t, { backend: backend.place, workers: 2 });
    let session: Buffer | undefined;
    const seen = new Set<number>();
    for (let times = 0; times <= TIMES || (seen.size < 2 && times < MOST); times += 1) {
      const joined = await tunnel(t, terminator.port, backend, { version, ...(session && { session }) });
      await assertJoined(joined);
      const { agreed, address } = joined.client;
      assert.deepEqual([agreed.isResumed, agreed.version], [times > 0, version], `visit ${times}`);
      if (seen.size < 2) seen.add(await holderOf(terminator, address.port));
      session = joined.client.session() ?? session;
      assert.ok(session !== undefined, "there is no session");
    }
    assert.equal(seen.size, 2, "one process has served all");
  });
}

test("comanche tls: sessions are resumed after HUP too", async (t) => {
  const backend = await Backend.start(t, "echoes");
  const terminator = await startComanche(t, { backend: backend.place, workers: 2 });
  for (const version of VERSIONS) {
    const { session } = await greet(t, terminator.port, { version });
    assert.equal(await terminator.reload(), "taken up");
    for (let times = 0; times < 4; times += 1) {
      assert.equal((await greet(t, terminator.port, { version, session })).isResumed, true);
    }
  }
});

test("comanche tls: sessions are resumed by another one that has the same tls-ticket-keys, and by no other", async (t) => {
  const backend = await Backend.start(t, "echoes");
  const keys = ["--tls-ticket-keys", keyPath("ticket.key")];
  const [first, second, stranger] = await Promise.all(
    [keys, keys, []].map((flags) => startComanche(t, { backend: backend.place }, flags)),
  );
  assert.ok(first !== undefined && second !== undefined && stranger !== undefined);
  for (const version of VERSIONS) {
    const { session } = await greet(t, first.port, { version });
    assert.equal((await greet(t, second.port, { version, session })).isResumed, true);
    assert.equal((await greet(t, stranger.port, { version, session })).isResumed, false);
  }
});

/** Which process has this client. */
function holderOf({ pid, port }: Terminator, clientPort: number): Promise<number> {
  return until("a process has the client", () =>
    childrenOf(pid).find((child) => clientPortsOf(child, port).has(clientPort)),
  );
}
