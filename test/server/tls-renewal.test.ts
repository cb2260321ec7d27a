/**
 * Certificates that change while the server runs: by a reload, and by its own watch, which reads files at the second look
 * that finds them changed. A bad one is told of, and what was in force stays so.
 */
import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { endProcess } from "../support/live-server.ts";
import { readKey, startTls, TlsClient, type TlsServer, visit } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

const FILES = { "htdocs/small.txt": "small", "site.pem": readKey("p256.pem"), "more/README": "nothing" };
/** Four of its looks, and the time to read. */
const WATCH = { patience: 60_000 };

function start(t: TestContext): Promise<TlsServer> {
  const configuration = { "tls-cert": "site.pem", "tls-dir": "more", processes: "2", timeout: "60s" };
  return startTls(t, { files: FILES, configuration });
}

/** In one step, as careful programs do it. */
function replace({ server }: TlsServer, file: string, text: string): void {
  writeFileSync(`${server.top}/${file}.new`, text);
  renameSync(`${server.top}/${file}.new`, `${server.top}/${file}`);
}

/** What several visits find: the workers take turns. */
async function namesShown({ tlsPort }: TlsServer, servername = "localhost"): Promise<readonly (string | undefined)[]> {
  const visits = await Promise.all(Array.from({ length: 12 }, () => visit(tlsPort, { servername })));
  return [...new Set(visits.map(({ name }) => name))];
}

const BAD: readonly [name: string, text: string, why: RegExp][] = [
  ["the key of another", readKey("wrong-key.pem"), /site\.pem: the key does not belong to the certificate$/m],
  [
    "half a file",
    readKey("rsa.pem").slice(0, 900),
    /site\.pem:1: the block CERTIFICATE has no END line: the file is incomplete$/m,
  ],
  ["nothing", "", /site\.pem: no certificate found/m],
];

test("a reload takes changed certificates up, and refuses bad ones", async (t) => {
  const site = await start(t);
  assert.deepEqual(await namesShown(site), ["p256"]);
  replace(site, "site.pem", readKey("rsa.pem"));
  assert.deepEqual(await namesShown(site), ["p256"], "nobody has asked for it yet");
  assert.equal((await site.server.run(t, "reload")).status, 0);
  assert.deepEqual(await namesShown(site), ["rsa"]);
  for (const [name, text, why] of BAD) {
    await t.test(`bad: ${name}`, async (t) => {
      replace(site, "site.pem", text);
      const { status, standardError } = await site.server.run(t, "reload");
      assert.equal(status, 1);
      assert.match(standardError, why);
      assert.match(site.server.events, why);
      assert.deepEqual(await namesShown(site), ["rsa"]);
    });
  }
  replace(site, "site.pem", readKey("p256.pem"));
  assert.equal((await site.server.run(t, "reload")).status, 0);
  assert.deepEqual(await namesShown(site), ["p256"]);
});

test("the watch takes changed and added certificates up, and refuses bad ones", { timeout: 120_000 }, async (t) => {
  const site = await start(t);
  const { server, tlsPort } = site;
  const kept = await TlsClient.connect(tlsPort);
  t.after(() => kept.leave());
  assert.equal((await kept.ask("/small.txt")).status, 200);
  assert.deepEqual(await namesShown(site, "www.wild.test"), ["p256"]);
  const { workers } = server;

  replace(site, "site.pem", readKey("rsa.pem"));
  replace(site, "more/wildcard.pem", readKey("wildcard.pem"));
  const taken = /certificates reloaded: \S+\/site\.pem, \S+\/more\/wildcard\.pem$/m;
  await until("they are taken up", () => taken.test(server.events), WATCH);
  assert.deepEqual(await shownAtLast(site, "localhost", "rsa"), ["rsa"]);
  assert.deepEqual(await namesShown(site, "www.wild.test"), ["wildcard"]);
  assert.deepEqual(server.workers, workers);
  assert.equal((await kept.ask("/small.txt")).body.toString(), "small", "a connection from before goes on");

  const [victim = 0] = workers;
  endProcess(victim);
  await until("a successor serves", () => server.state.workers.some(({ pid }) => !workers.includes(pid)));
  await server.settled(2);
  assert.deepEqual(await namesShown(site), ["rsa"], "who replaces a worker has the newest");

  for (const [name, text, why] of BAD.slice(0, 1)) {
    await t.test(`bad: ${name}`, async () => {
      replace(site, "site.pem", text);
      const told = /error: cannot reload certificates, keeping the old ones: /;
      await until("it is told", () => told.test(server.events), WATCH);
      assert.match(server.events, why);
      assert.deepEqual(await namesShown(site), ["rsa"]);
    });
  }

  replace(site, "site.pem", readKey("expired.pem"));
  await until("it is warned of", () => /warning: \S+site\.pem: the certificate expired/.test(server.events), WATCH);
  assert.deepEqual(await shownAtLast(site, "localhost", "expired"), ["expired"]);
});

/** Once a worker shows `want`, what all show. */
async function shownAtLast(
  site: TlsServer,
  servername: string,
  want: string,
): Promise<readonly (string | undefined)[]> {
  for (let times = 0; times < 50; times += 1) {
    const names = await namesShown(site, servername);
    if (names.length === 1 && names[0] === want) return names;
  }
  return namesShown(site, servername);
}
