/**
 * More work at once than the server has places for: every client is told the truth, at once or when it is done.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ComancheCommand } from "../support/comanche-command.ts";
import { sha256 } from "../support/download.ts";
import { makeTree } from "../support/file-tree.ts";
import { RawClient } from "../support/raw-client.ts";
import { makeDocument, readAnswer, readReceipt, sendUpload } from "../support/upload-client.ts";

const WORKERS = 2;
const QUEUE = 5;
const AT_ONCE = 200;
const ENTRIES = 1500;
const BOUNDED = { timeout: 180_000 };

test(
  "overload: of 200 uploads and listings at once each is done or answered 503, and the server serves on",
  BOUNDED,
  async (t) => {
    const names = Array.from({ length: ENTRIES }, (_, index) => `htdocs/many/${index}.txt`);
    const many = Object.fromEntries(names.map((name) => [name, ""]));
    const top = makeTree(t, { "htdocs/small.txt": "small", "comanche.conf": "", ...many });
    // Who is answered at once stays connected until the last one is.
    const flags = ["--workers", `${WORKERS}`, "--queue", `${QUEUE}`, "--timeout", "60"];
    const place = ["-d", "-c", "comanche.conf", "-p", "0", "-b", `${top}/htdocs`, "-l", "/dev/null"];
    const server = new ComancheCommand([...place, ...flags], { cwd: top });
    t.after(() => server.kill());
    const port = await server.port();

    const clients = await Promise.all(Array.from({ length: AT_ONCE }, () => RawClient.connect(port)));
    t.after(() => {
      for (const client of clients) client.destroy();
    });
    const documents = clients.map((_, index) => (index % 2 === 0 ? makeDocument(index, 5000) : undefined));
    const listing = Buffer.from("GET /many/ HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
    for (const [index, client] of clients.entries()) {
      const document = documents[index];
      if (document === undefined) client.send(listing);
      else sendUpload(client, document);
    }

    const promised = new Map<string, string>();
    let busy = 0;
    for (const [index, client] of clients.entries()) {
      const document = documents[index];
      const answer = await readAnswer(client);
      if (answer.status === 503) {
        busy += 1;
        assert.equal(answer.field("Retry-After"), "5");
        assert.match(answer.body.toString(), /queue-full/);
        if (document === undefined)
          assert.equal(answer.field("Connection"), undefined, "a busy listing keeps its connection");
      } else if (document === undefined) {
        assert.equal(answer.status, 200);
        assert.equal(JSON.parse(answer.body.toString()).entries.length, ENTRIES);
      } else {
        const { name, sha256: hash } = readReceipt(answer);
        assert.equal(hash, sha256(document));
        promised.set(name, hash);
      }
      if (answer.field("Connection") === "close") continue;
      client.send(Buffer.from("GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
      assert.equal((await readAnswer(client)).body.toString(), "small");
    }
    assert.ok(busy > 0, "there was no overload");
    assert.ok(AT_ONCE - busy >= WORKERS + QUEUE, `only ${AT_ONCE - busy} were accepted`);

    const client = await RawClient.connect(port);
    t.after(() => client.destroy());
    const last = makeDocument(AT_ONCE, 5000);
    sendUpload(client, last);
    const receipt = readReceipt(await readAnswer(client));
    assert.equal(receipt.sha256, sha256(last));
    promised.set(receipt.name, receipt.sha256);
    const uploads = `${top}/htdocs/uploads`;
    const stored = readdirSync(uploads).map((name) => [name, sha256(readFileSync(`${uploads}/${name}`))] as const);
    assert.deepEqual(new Map(stored.toSorted()), new Map([...promised].toSorted()));

    server.signal("SIGTERM");
    assert.equal((await server.end).status, 0);
  },
);
