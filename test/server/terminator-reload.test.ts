/**
 * Certificates that come and go while a terminator runs, ours and hitch: HUP takes them up, and refuses them all where one
 * is bad. Tunnels from before go on.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { putInto, removeFrom, type Terminator } from "../support/terminator.ts";
import { Backend } from "../support/terminator-backend.ts";
import { assertJoined, call, tunnel } from "../support/terminator-caller.ts";
import { testBoth } from "../support/terminator-programs.ts";
import { readKey } from "../support/tls-client.ts";

const WORKERS = 2;
const MOST = 200;

/** Whose certificates are shown for this name, of several calls: the workers take turns. */
async function shownFor(t: TestContext, { port }: Terminator, servername: string): Promise<readonly string[]> {
  const calls = Array.from({ length: 8 }, async () => {
    const { end, agreed } = await call(t, port, { servername });
    end.destroy();
    return agreed.name ?? "nobody";
  });
  // A process that leaves may cut a call.
  const ends = await Promise.allSettled(calls);
  return [...new Set(ends.map((end) => (end.status === "fulfilled" ? end.value : "cut")))];
}

/** Once nothing else is shown: that a reload is done does not mean that the old processes have left. */
async function assertShown(t: TestContext, terminator: Terminator, servername: string, want: string): Promise<void> {
  let names: readonly string[] = [];
  for (let times = 0; times < MOST; times += 1) {
    names = await shownFor(t, terminator, servername);
    if (names.length === 1 && names[0] === want) return;
  }
  assert.fail(`${servername} is shown ${names.join(", ")}`);
}

testBoth("HUP adds a certificate and removes one", async (t, program) => {
  const backend = await Backend.start(t, "waits");
  const start = { backend: backend.place, workers: WORKERS, folder: [] };
  const terminator = await program.start(t, start);
  assert.deepEqual(await shownFor(t, terminator, "www.wild.test"), ["p256"]);

  putInto(terminator, "wildcard.pem", readKey("wildcard.pem"));
  assert.equal(await terminator.reload(), "taken up");
  await assertShown(t, terminator, "www.wild.test", "wildcard");
  assert.deepEqual(await shownFor(t, terminator, "unknown.test"), ["p256"]);

  removeFrom(terminator, "wildcard.pem");
  assert.equal(await terminator.reload(), "taken up");
  await assertShown(t, terminator, "www.wild.test", "p256");
});

const BAD: readonly [what: string, text: string][] = [
  ["half a file", readKey("rsa.pem").slice(0, 900)],
  ["nothing", ""],
  ["a key of another certificate", readKey("wrong-key.pem")],
];

testBoth("HUP with a bad certificate keeps all the old ones", async (t, program) => {
  const backend = await Backend.start(t, "waits");
  const terminator = await program.start(t, { backend: backend.place, workers: WORKERS, folder: ["wildcard.pem"] });
  for (const [what, text] of BAD) {
    await t.test(what, async (t) => {
      putInto(terminator, "wildcard.pem", text);
      assert.equal(await terminator.reload(), "refused");
      assert.deepEqual(await shownFor(t, terminator, "www.wild.test"), ["wildcard"]);
      assert.deepEqual(await shownFor(t, terminator, "localhost"), ["p256"]);
    });
  }
  putInto(terminator, "wildcard.pem", readKey("rsa.pem"));
  assert.equal(await terminator.reload(), "taken up");
  await assertShown(t, terminator, "www.wild.test", "p256");
});

testBoth("HUP: a tunnel from before goes on", async (t, program) => {
  const backend = await Backend.start(t, "waits");
  const terminator = await program.start(t, { backend: backend.place, folder: [] });
  const joined = await tunnel(t, terminator.port, backend);
  await assertJoined(joined);
  putInto(terminator, "wildcard.pem", readKey("wildcard.pem"));
  assert.equal(await terminator.reload(), "taken up");
  await assertShown(t, terminator, "www.wild.test", "wildcard");
  await assertJoined(joined);
  joined.client.end.end("bye");
  assert.equal((await joined.server.takeRest()).toString(), "bye");
});
