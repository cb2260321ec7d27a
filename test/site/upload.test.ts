import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { bytes } from "../../src/base/units.ts";
import type { BodyReader, IncomingRequest } from "../../src/http/exchange.ts";
import type { SiteRules } from "../../src/site/site.ts";
import { acceptUpload } from "../../src/site/upload.ts";
import type { TaskPool } from "../../src/tasks/task-types.ts";
import { directPool } from "../support/direct-pool.ts";
import { latin1 } from "../support/raw-client.ts";
import { fakeRequestHead } from "../support/request-head.ts";
import { HandClock } from "../support/served-site.ts";
import { mountSmall, mountsAreNotAllowed } from "../support/small-disk.ts";
import { type Answer, makeDocument, readAnswer, readReceipt } from "../support/upload-client.ts";
import { formatUpload, type UploadRequest, UploadSite } from "../support/upload-site.ts";

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const fullPool: TaskPool = {
  hasRoom: false,
  reserve: () => undefined,
  noteRefusal: () => undefined,
  run: () => Promise.reject(new Error("a task for a full pool")),
};

const reasonOf = ({ body }: Answer) => /^Reason code: (.*)$/m.exec(body.toString())?.[1];
const digestField = (algorithm: "sha-256" | "sha-512", content: string) =>
  `${algorithm}=:${createHash(algorithm.replace("-", "")).update(content).digest("base64")}:`;

// ---- what is stored

const accepted: [name: string, request: UploadRequest][] = [
  ["with its length", {}],
  ["in chunks", { chunk: 5 }],
  ["in chunks of one byte", { chunk: 1 }],
  ["with a query", { target: "/upload?name=x" }],
  ["by another spelling of the path", { target: "//./%75pload" }],
  ["with the host in the target", { target: "http://localhost/upload" }],
  ["another type of JSON", { type: "application/ld+json; profile=x" }],
  ["with a charset", { type: "application/json; charset=UTF-8" }],
  ["in the identity coding", { fields: ["Content-Encoding: Identity"] }],
  ["with its digest", { fields: [`Content-Digest: ${digestField("sha-256", '{"a": [1, 2]}')}`] }],
  ["with a digest of its representation", { fields: [`Repr-Digest: ${digestField("sha-512", '{"a": [1, 2]}')}`] }],
  ["with an unknown digest", { fields: ["Content-Digest: md5=:AAAA:"] }],
];
for (const [name, request] of accepted) {
  test(`stored: ${name}`, async (t) => {
    const site = await UploadSite.start(t);
    const answer = await site.ask({ body: '{"a": [1, 2]}', ...request });
    const { name: stored, sha256 } = readReceipt(answer);
    assert.equal(sha256, createHash("sha256").update('{"a": [1, 2]}').digest("hex"));
    assert.deepEqual(site.uploads(), [stored]);
    assert.equal(readFileSync(`${site.root}/uploads/${stored}`, "utf8"), '{"a": [1, 2]}');
    assert.equal(statSync(`${site.root}/uploads/${stored}`).mode & 0o777, 0o644 & ~process.umask());
    const fetched = await site.ask({ method: "GET", target: answer.field("Location") ?? "", type: undefined });
    assert.deepEqual([fetched.status, fetched.body.toString()], [200, '{"a": [1, 2]}']);
  });
}

test("a large document is stored byte for byte, however it is sent", async (t) => {
  const site = await UploadSite.start(t);
  const document = makeDocument(1, 900_000);
  for (const chunk of [undefined, 100, 300_000]) {
    const { name } = readReceipt(await site.ask({ body: document, ...(chunk && { chunk }) }));
    assert.ok(readFileSync(`${site.root}/uploads/${name}`).equals(document));
  }
});

test("fifty at a time: every document has a name of its own", async (t) => {
  const site = await UploadSite.start(t);
  const documents = Array.from({ length: 50 }, (_, serial) => makeDocument(serial, 10_000));
  const answers = await Promise.all(documents.map((body) => site.ask({ body })));
  const names = answers.map((answer) => readReceipt(answer).name);
  for (const [index, name] of names.entries())
    assert.deepEqual(readFileSync(`${site.root}/uploads/${name}`), documents[index]);
  assert.deepEqual(site.uploads(), [...new Set(names)].sort());
});

test("the next request on the connection is the next request", async (t) => {
  const site = await UploadSite.start(t);
  const client = await site.connect();
  const get = formatUpload({ method: "GET", target: "/hello.txt", type: undefined });
  const requests = [{ body: "1" }, { body: "[2]", chunk: 1 }, { body: "not JSON" }, { body: "4", type: "text/plain" }];
  client.send(Buffer.concat(requests.flatMap((request) => [formatUpload(request), get])));
  const statuses: number[] = [];
  for (let read = 0; read < 8; read += 1) statuses.push((await readAnswer(client)).status);
  assert.deepEqual(statuses, [201, 200, 201, 200, 400, 200, 415, 200]);
  assert.equal(site.uploads().length, 2);
});

// ---- what is refused by its head

interface Refusal {
  readonly request: UploadRequest;
  readonly rules?: Partial<SiteRules>;
  readonly pool?: TaskPool;
  readonly status: number;
  readonly reason: string;
  readonly fields?: Readonly<Record<string, string>>;
}
const ACCEPT_POST = { "Accept-Post": "application/json" };
const early: [name: string, refusal: Refusal][] = [
  ["no type", { request: { type: undefined }, status: 415, reason: "upload-type", fields: ACCEPT_POST }],
  ["another type", { request: { type: "text/plain" }, status: 415, reason: "upload-type", fields: ACCEPT_POST }],
  [
    "another charset",
    { request: { type: "application/json; charset=utf-16" }, status: 415, reason: "upload-type", fields: ACCEPT_POST },
  ],
  [
    "a content coding",
    {
      request: { fields: ["Content-Encoding: gzip"] },
      status: 415,
      reason: "upload-type",
      fields: { ...ACCEPT_POST, "Accept-Encoding": "identity" },
    },
  ],
  ["a malformed digest", { request: { fields: ["Content-Digest: sha-256=abc"] }, status: 400, reason: "bad-digest" }],
  [
    "a digest of the wrong length",
    { request: { fields: ["Repr-Digest: sha-256=:AAAA:"] }, status: 400, reason: "bad-digest" },
  ],
  ["a full pool", { request: {}, pool: fullPool, status: 503, reason: "queue-full", fields: { "Retry-After": "7" } }],
  ["more than the quota", { request: {}, rules: { uploadQuota: bytes(12) }, status: 507, reason: "no-space" }],
  [
    "a directory that cannot be made",
    {
      request: {},
      rules: { uploadDir: "hello.txt" },
      status: 503,
      reason: "upload-unavailable",
      fields: { "Retry-After": "7" },
    },
  ],
  [
    "a directory below a file",
    { request: {}, rules: { uploadDir: "hello.txt/x" }, status: 503, reason: "upload-unavailable" },
  ],
];
for (const [name, { request, rules = {}, pool = directPool, status, reason, fields = {} }] of early) {
  test(`refused before the body is read: ${name}`, async (t) => {
    const site = await UploadSite.start(t, { rules, pool });
    const answer = await site.ask({ body: '{"a": [1, 2]}', ...request });
    assert.deepEqual([answer.status, reasonOf(answer)], [status, reason]);
    for (const [field, value] of Object.entries(fields)) assert.equal(answer.field(field), value);

    const client = await site.connect();
    client.send(
      formatUpload({ ...request, fields: [...(request.fields ?? []), "Content-Length: 13", "Expect: 100-continue"] }),
    );
    const refused = latin1(await client.readToEnd());
    assert.ok(refused.startsWith(`HTTP/1.1 ${status} `), refused);
    assert.deepEqual(site.uploads(), []);
    assert.deepEqual(site.faults, []);
  });
}

test("a full pool leaves the connection as it is", async (t) => {
  const site = await UploadSite.start(t, { pool: fullPool });
  const client = await site.connect();
  for (let round = 0; round < 3; round += 1) {
    client.send(formatUpload({ body: "1" }));
    assert.equal((await readAnswer(client)).status, 503);
    client.send(formatUpload({ method: "GET", target: "/hello.txt", type: undefined }));
    assert.equal((await readAnswer(client)).status, 200);
  }
});

test("Expect: 100-continue is answered when the body is wanted", async (t) => {
  const site = await UploadSite.start(t);
  const client = await site.connect();
  const request = formatUpload({ body: "[1]", fields: ["Expect: 100-continue"] });
  client.send(request.subarray(0, -3));
  assert.equal(latin1(await client.readBytes(CONTINUE.length)), CONTINUE);
  assert.deepEqual(site.uploads().length, 1, "the temporary file");
  client.send(request.subarray(-3));
  readReceipt(await readAnswer(client));
});

// ---- what is refused by its body

const NO_DETAIL = undefined;
const bodies: [name: string, request: UploadRequest, status: number, reason: string, detail: string | undefined][] = [
  ["no body", {}, 400, "bad-json", "line 1, column 1: expected a value"],
  ["an empty body", { body: "" }, 400, "bad-json", "line 1, column 1: expected a value"],
  ["an empty body in chunks", { body: "", chunk: 1 }, 400, "bad-json", "line 1, column 1: expected a value"],
  [
    "a fault in the third line",
    { body: '{\n"a": 1,\n  b}' },
    400,
    "bad-json",
    "line 3, column 3: expected a key in double quotes",
  ],
  [
    "another digest",
    { body: "1", fields: [`Content-Digest: ${digestField("sha-256", "2")}`] },
    400,
    "digest-mismatch",
    NO_DETAIL,
  ],
  ["more than max-body", { body: `"${"x".repeat(2000)}"`, chunk: 100 }, 413, "body-too-large", NO_DETAIL],
  ["more than max-body, announced", { body: `"${"x".repeat(2000)}"` }, 413, "body-too-large", NO_DETAIL],
];
for (const [name, request, status, reason, detail] of bodies) {
  test(`refused with its body: ${name}`, async (t) => {
    const site = await UploadSite.start(t, { maxBody: bytes(1000) });
    const answer = await site.ask(request);
    assert.deepEqual([answer.status, reasonOf(answer)], [status, reason]);
    if (detail !== undefined) assert.ok(answer.body.toString().includes(`\n\n${detail}\n\n`), answer.body.toString());
    await site.settled();
    assert.deepEqual(site.uploads(), []);
    assert.deepEqual(site.faults, []);
  });
}

test("refused with its body: a malformed chunk", async (t) => {
  const site = await UploadSite.start(t);
  const client = await site.connect();
  client.send(Buffer.concat([formatUpload({ fields: ["Transfer-Encoding: chunked"] }), Buffer.from("1\r\n[\r\nx")]));
  const answer = await readAnswer(client);
  assert.deepEqual([answer.status, reasonOf(answer)], [400, "bad-chunk"]);
  assert.deepEqual(site.uploads(), []);
});

test("the place of the fault is in every form of the page", async (t) => {
  const site = await UploadSite.start(t);
  const html = await site.ask({ body: "[1 2]", fields: ["Accept: text/html"] });
  assert.match(html.body.toString(), /<p>line 1, column 4: expected a comma or \]<\/p>/);
  const problem = await site.ask({ body: "[1 2]", fields: ["Accept: application/json"] });
  assert.equal(JSON.parse(problem.body.toString()).detail, "line 1, column 4: expected a comma or ]");
});

// ---- clients that go

for (const [name, request] of [
  ["with its length", { body: "[1, 2, 3]" }],
  ["in chunks", { body: "[1, 2, 3]", chunk: 3 }],
] as const) {
  test(`a client that leaves in the middle leaves nothing: ${name}`, async (t) => {
    const site = await UploadSite.start(t);
    const client = await site.connect();
    client.send(Buffer.concat([formatUpload({ ...request, fields: ["Expect: 100-continue"] }).subarray(0, -5)]));
    await client.readBytes(CONTINUE.length);
    assert.equal(site.uploads().length, 1);
    await site.settled();
    assert.deepEqual(site.uploads(), []);
    assert.deepEqual(site.faults, []);
  });

  test(`a client that only stops sending is told: ${name}`, async (t) => {
    const site = await UploadSite.start(t);
    const client = await site.connect();
    client.send(formatUpload(request).subarray(0, -5));
    client.halfClose();
    assert.match(latin1(await client.readToEnd()), /^HTTP\/1\.1 400 /);
    assert.deepEqual(site.uploads(), []);
  });
}

// ---- the pool

const outcomes: [name: string, run: TaskPool["run"], status: number, reason: string, faults: number][] = [
  ["busy after all", async () => ({ kind: "busy" }), 503, "queue-full", 0],
  ["taken out of the queue", async () => ({ kind: "cancelled" }), 503, "queue-full", 0],
  ["dead", () => Promise.reject(new Error("the thread died")), 500, "internal-error", 1],
];
for (const [name, run, status, reason, faults] of outcomes) {
  test(`a pool that is ${name} leaves nothing behind`, async (t) => {
    const site = await UploadSite.start(t, {
      pool: { hasRoom: true, reserve: () => undefined, noteRefusal: () => undefined, run },
    });
    const answer = await site.ask({ body: "1" });
    assert.deepEqual([answer.status, reasonOf(answer)], [status, reason]);
    assert.deepEqual(site.uploads(), []);
    assert.equal(site.faults.length, faults);
  });
}

function requestWith(read: BodyReader["read"], gone = new AbortController().signal): IncomingRequest {
  const head = fakeRequestHead({ method: "POST", path: "/upload", fields: [["Content-Type", "application/json"]] });
  const peer = { address: "192.0.2.1", port: 1 };
  const receivedAt = new HandClock().wall();
  return { head, peer, body: { length: undefined, read }, receivedAt, gone, note: () => undefined };
}

test("a task whose client has gone is taken out of the queue", async (t) => {
  const client = new AbortController();
  const run: TaskPool["run"] = (_name, _input, signal) =>
    new Promise((resolve) => {
      signal?.addEventListener("abort", () => resolve({ kind: "cancelled" }));
      client.abort();
    });
  const site = await UploadSite.start(t, {
    pool: { hasRoom: true, reserve: () => undefined, noteRefusal: () => undefined, run },
  });
  const request = requestWith(() => Promise.resolve({ kind: "end" }), client.signal);
  assert.equal((await acceptUpload(site.context, site.site, request)).kind, "busy");
  assert.deepEqual(site.uploads(), []);
});

test("a piece is asked for only when the last one is in the file", async (t) => {
  const site = await UploadSite.start(t);
  const chunks = ["[1,", "2,", "3]"].map((text) => Buffer.from(text));
  let delivered = 0;
  const request = requestWith(async () => {
    const [name = ""] = site.uploads();
    assert.equal(statSync(`${site.root}/uploads/${name}`).size, delivered);
    const chunk = chunks.shift();
    delivered += chunk?.length ?? 0;
    return chunk === undefined ? { kind: "end" } : { kind: "chunk", bytes: chunk };
  });
  const resource = await acceptUpload(site.context, site.site, request);
  assert.ok(resource.kind === "created" && resource.receipt.size === 7);
});

// ---- room

for (const chunk of [undefined, 10]) {
  const sent = chunk === undefined ? "with its length" : "in chunks";
  test(`the quota is for all uploads together: ${sent}`, async (t) => {
    const clock = new HandClock();
    const site = await UploadSite.start(t, { rules: { uploadQuota: bytes(100) }, clock });
    const ask = async (body: string) => (await site.ask({ body, ...(chunk && { chunk }) })).status;
    assert.equal(await ask("1".repeat(60)), 201);
    assert.equal(await ask("1".repeat(41)), 507);
    assert.equal(await ask("x".repeat(40)), 400, "what fails gives its place back");
    assert.equal(await ask("1".repeat(40)), 201);
    assert.equal(await ask("1"), 507);
    const [first = ""] = site.uploads();
    rmSync(`${site.root}/uploads/${first}`);
    clock.time += 5000;
    assert.equal(await ask("1"), 201, "what somebody removes makes room");
    assert.equal(site.uploads().length, 2);
    assert.deepEqual(site.events, [
      "refused an upload to main from 127.0.0.1: no-space",
      "refused an upload to main from 127.0.0.1: no-space",
    ]);
  });
}

for (const chunk of [undefined, 1000]) {
  const sent = chunk === undefined ? "with its length" : "in chunks";
  test(`a full disk: ${sent}`, { skip: mountsAreNotAllowed }, async (t) => {
    const disk = mountSmall(t, { bytes: 256 * 1024 });
    const site = await UploadSite.start(t, { rules: { uploadDir: disk } });
    const ask = (size: number) => site.ask({ body: "1".repeat(size), ...(chunk && { chunk }) });
    const first = await ask(100_000);
    assert.equal(first.status, 201);
    assert.equal((await ask(100_000)).status, 201);
    const names = site.uploads(disk);
    for (let round = 0; round < 3; round += 1) {
      const answer = await ask(100_000);
      assert.deepEqual([answer.status, reasonOf(answer)], [507, "no-space"]);
    }
    await site.settled();
    assert.deepEqual(site.uploads(disk), names);
    for (const name of names) assert.equal(readFileSync(`${disk}/${name}`, "utf8"), "1".repeat(100_000));
    rmSync(`${disk}/${names[0]}`);
    assert.equal((await ask(100_000)).status, 201, "room again");
    assert.deepEqual(site.faults, []);
  });
}

// ---- where

test("a directory that goes is made again", async (t) => {
  const site = await UploadSite.start(t);
  readReceipt(await site.ask({ body: "1" }));
  rmSync(`${site.root}/uploads`, { recursive: true });
  const { name } = readReceipt(await site.ask({ body: "2" }));
  assert.deepEqual(site.uploads(), [name]);
});

test("without a document root uploads are unavailable", async (t) => {
  const site = await UploadSite.start(t);
  renameSync(site.root, `${site.root}-away`);
  assert.equal((await site.ask({ body: "1" })).status, 503);
  renameSync(`${site.root}-away`, site.root);
  assert.equal((await site.ask({ body: "1" })).status, 201);
  assert.deepEqual(site.events, ["refused an upload to main from 127.0.0.1: upload-unavailable"]);
});

const places: [name: string, uploadDir: string, want: RegExp | undefined][] = [
  ["below the root", "a b/c", /^\/a%20b\/c\/upload_/],
  ["the root itself", ".", /^\/upload_/],
  ["outside, by a path", "../outside", undefined],
  ["outside, by a link", "link-out", undefined],
  ["by a link that stays inside", "link-in", /^\/inside\/upload_/],
];
for (const [name, uploadDir, want] of places) {
  test(`where it can be fetched: ${name}`, async (t) => {
    const site = await UploadSite.start(t, { rules: { uploadDir }, files: { "outside/": "", "root/inside/": "" } });
    symlinkSync("../outside", `${site.root}/link-out`);
    symlinkSync("inside", `${site.root}/link-in`);
    const answer = await site.ask({ body: "1" });
    const { filepath } = JSON.parse(answer.body.toString());
    const location = answer.field("Location");
    if (want === undefined) {
      assert.equal(location, undefined);
      assert.deepEqual(site.uploads(`${site.top}/outside`), [filepath]);
      return;
    }
    assert.match(location ?? "", want);
    assert.equal(filepath, location);
    assert.equal((await site.ask({ method: "GET", target: location ?? "", type: undefined })).status, 200);
  });
}

test("a directory by its whole path has a location where it lies below the root", async (t) => {
  const site = await UploadSite.start(t);
  const other = await UploadSite.start(t, { root: site.root, rules: { uploadDir: absolutePath(`${site.root}/in`) } });
  assert.match((await other.ask({ body: "1" })).field("Location") ?? "", /^\/in\/upload_/);
});

test("each virtual host has its own path, directory and quota", async (t) => {
  const hosts = {
    "a.test": { uploadQuota: bytes(5) },
    "b.test": { upload: "/in", uploadDir: "kept" },
    "c.test": { upload: undefined },
  };
  const site = await UploadSite.start(t, { hosts, files: { "a.test/": "", "b.test/": "", "c.test/": "" } });
  const asked: [host: string, target: string, status: number][] = [
    ["a.test", "/upload", 201],
    ["a.test", "/upload", 507],
    ["b.test", "/in", 201],
    ["b.test", "/upload", 405],
    ["c.test", "/upload", 405],
    ["main", "/upload", 201],
  ];
  for (const [host, target, status] of asked) {
    assert.equal((await site.ask({ host, target, body: "[1,2]" })).status, status, `${host}${target}`);
  }
  for (const directory of ["a.test/uploads", "b.test/kept", "root/uploads"])
    assert.equal(site.uploads(`${site.top}/${directory}`).length, 1);
});

test("what is still arriving is neither served nor listed, even with dotfiles = yes", async (t) => {
  const site = await UploadSite.start(t, { rules: { dotfiles: true } });
  mkdirSync(`${site.root}/uploads`);
  writeFileSync(`${site.root}/uploads/.upload-1-ab.part`, "[1,");
  writeFileSync(`${site.root}/uploads/.other`, "x");
  const get = (target: string) =>
    site.ask({ method: "GET", target, type: undefined, fields: ["Accept: application/json"] });
  const hidden = await get("/uploads/.upload-1-ab.part");
  assert.deepEqual([hidden.status, JSON.parse(hidden.body.toString()).reason], [404, "dotfile"]);
  assert.equal((await get("/uploads/.other")).status, 200);
  const { entries } = JSON.parse((await get("/uploads/")).body.toString());
  assert.deepEqual(
    entries.map(({ name }: { name: string }) => name),
    [".other"],
  );
});
