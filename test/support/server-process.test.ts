// Not in --quick: starts a server.

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RawClient } from "./raw-client.ts";
import { ServerProcess } from "./server-process.ts";

test("a server is started on its files, and leaves nothing behind when it is stopped", async () => {
  const files = {
    "htdocs/a/b.txt": "content",
    "htdocs/link": { link: "a/b.txt" },
    outside: { directory: true },
  } as const;
  const server = await ServerProcess.start({ files, modified: 1000 });
  assert.equal(readFileSync(join(server.directory, "htdocs/link"), "utf8"), "content");
  assert.equal(statSync(join(server.directory, "htdocs/a/b.txt")).mtimeMs, 1_000_000);
  assert.ok(statSync(join(server.directory, "outside")).isDirectory());

  const client = await RawClient.connect(server.port);
  client.send(Buffer.from("GET /link HTTP/1.0\r\n\r\n"));
  assert.match((await client.readToEnd()).toString(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*content$/);
  client.destroy();

  assert.deepEqual(await server.stop(), { status: 0, signal: null });
  assert.equal(existsSync(server.directory), false);
});

test("a server that does not start fails with what it printed", async () => {
  const configuration = "[Main server configuration]\nprot = 80\n";
  await assert.rejects(ServerProcess.start({ files: {}, configuration }), /ended with status 1; it printed: .*prot/);
});
