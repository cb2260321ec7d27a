/**
 * kill -9 while clients upload: what was acknowledged is there, and nothing is there that is not whole.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { ComancheCommand } from "../support/comanche-command.ts";
import { sha256 } from "../support/download.ts";
import { makeTree } from "../support/file-tree.ts";
import { RawClient } from "../support/raw-client.ts";
import { rounds } from "../support/rounds.ts";
import { makeDocument, readAnswer, readReceipt, sendUpload } from "../support/upload-client.ts";

const ROUNDS = rounds(3, 5);
const CLIENTS = 6;
/** A round's server dies on this acknowledgement: other uploads are then at every stage. */
const ACKNOWLEDGED_BEFORE_DEATH = 12;
const BOUNDED = { timeout: 180_000 };

test(
  `kill -9 during uploads: after each of ${ROUNDS} restarts all acknowledged uploads are there, whole, and nothing else`,
  BOUNDED,
  async (t) => {
    const top = makeTree(t, { "htdocs/small.txt": "small", "comanche.conf": "" });
    const uploads = `${top}/htdocs/uploads`;
    const sent = new Set<string>();
    const promised = new Map<string, string>();
    let { server, port } = await start(t, top);

    for (let round = 0; round < ROUNDS; round += 1) {
      const last = promised.size + ACKNOWLEDGED_BEFORE_DEATH;
      const uploading = Array.from({ length: CLIENTS }, async (_, index) => {
        const client = await RawClient.connect(port);
        t.after(() => client.destroy());
        // Large enough that one of them is always on its way.
        while (!client.ended) {
          const document = makeDocument(sent.size, index === 0 ? 400_000 : 4000 * index);
          sent.add(sha256(document));
          sendUpload(client, document);
          const answer = await readAnswer(client).catch(() => undefined);
          // The server has died.
          if (answer === undefined) return;
          const receipt = readReceipt(answer);
          assert.equal(receipt.sha256, sha256(document));
          promised.set(receipt.name, receipt.sha256);
          if (promised.size === last) server.signal("SIGKILL");
        }
      });
      await Promise.all(uploading);
      assert.ok(promised.size >= last, `uploads ended after ${promised.size} acknowledgements`);
      assert.equal((await server.end).signal, "SIGKILL");

      ({ server, port } = await start(t, top));
      const found = new Map<string, string>();
      for (const name of readdirSync(uploads)) {
        assert.match(name, /^upload_\d{8}_\d{6}_[0-9a-z]+\.json$/, "litter is left after the restart");
        const content = readFileSync(`${uploads}/${name}`);
        found.set(name, sha256(content));
        assert.ok(sent.has(sha256(content)), `${name} is nothing that was sent: ${content.length} bytes`);
      }
      for (const [name, hash] of promised) assert.equal(found.get(name), hash, `${name} was acknowledged`);
      const some = [...promised].at(-1);
      assert.equal(sha256(await fetchFile(port, `/uploads/${some?.[0]}`)), some?.[1]);
    }
    server.signal("SIGTERM");
    assert.equal((await server.end).status, 0);
  },
);

async function start(t: TestContext, top: string): Promise<{ server: ComancheCommand; port: number }> {
  const place = ["-d", "-c", "comanche.conf", "-p", "0", "-b", `${top}/htdocs`, "-l", "/dev/null"];
  const server = new ComancheCommand(place, { cwd: top });
  t.after(() => server.kill());
  return { server, port: await server.port() };
}

async function fetchFile(port: number, path: string): Promise<Buffer> {
  const client = await RawClient.connect(port);
  client.send(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`));
  const { body } = await readAnswer(client);
  client.destroy();
  return body;
}
