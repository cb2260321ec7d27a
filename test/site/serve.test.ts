import assert from "node:assert/strict";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { type TestContext, test } from "node:test";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import type { PeerAddress } from "../../src/base/endpoint.ts";
import { seconds, unixSeconds } from "../../src/base/units.ts";
import { encodeChunked } from "../../src/http/chunked-encoder.ts";
import type { IncomingRequest, ResponseWriter, SendOutcome, Service } from "../../src/http/exchange.ts";
import { formatHttpDate } from "../../src/http/http-date.ts";
import type { Method } from "../../src/http/request-head.ts";
import type { ResponsePlan } from "../../src/http/response-plan.ts";
import { RefusalReport } from "../../src/observe/refusal-report.ts";
import type { TlsPresence } from "../../src/site/gates.ts";
import { HostDirectories } from "../../src/site/host-directories.ts";
import type { LocateContext } from "../../src/site/locate.ts";
import { createService } from "../../src/site/serve.ts";
import type { SiteRules, Sites } from "../../src/site/site.ts";
import { addToTree, linkTo, makeTree } from "../support/file-tree.ts";
import { type FakeRequest, type FieldLine, fakeRequestHead } from "../support/request-head.ts";
import {
  countDescriptors,
  descriptorsUncounted,
  HandClock,
  HandTurn,
  LONG_AGO,
  locateContext,
  passTick,
  siteAt,
  writeOld,
} from "../support/served-site.ts";

const LARGE = 2 ** 20 + 17;

interface Fixture {
  readonly top: AbsolutePath;
  readonly turn: HandTurn;
  readonly clock: HandClock;
  readonly locating: LocateContext;
  readonly service: Service;
  /** What the event log was told. */
  readonly events: string[];
}

interface Setting {
  readonly rules?: Partial<SiteRules>;
  readonly limits?: { readonly maxBytes?: number };
  readonly server?: string;
  /** Virtual hosts by directory; `wiki.test` has a section besides. */
  readonly virthost?: boolean;
  readonly defaultHost?: string;
  readonly tls?: TlsPresence;
}

function makeFixture(t: TestContext, setting: Setting = {}): Fixture {
  const top = makeTree(t, {
    "secret.txt": "secret",
    "root/docs/": "",
    "root/a.test/f.txt": "file of a",
    "root/b.test/f.txt": "file of b",
    "root/out": linkTo("../secret.txt"),
    "wiki/f.txt": "file of wiki",
  });
  for (const name of ["f.txt", "docs/index.html", "a.test/f.txt", "b.test/f.txt"])
    writeOld(`${top}/root/${name}`, name);
  writeOld(`${top}/wiki/f.txt`, "wiki");
  writeOld(`${top}/root/large.bin`, "");
  truncateSync(`${top}/root/large.bin`, LARGE);
  utimesSync(`${top}/root/large.bin`, LONG_AGO, LONG_AGO);

  const turn = new HandTurn();
  const clock = new HandClock();
  const main = siteAt(absolutePath(`${top}/root`), turn, setting.rules);
  const wiki = siteAt(absolutePath(`${top}/wiki`), turn, { hosts: ["wiki.test"], listing: false }, "wiki.test");
  const sites: Sites = {
    main,
    named: new Map([["wiki.test", wiki]]),
    directories: setting.virthost ? new HostDirectories(main.root, main.rules, turn) : undefined,
    defaultHost: setting.defaultHost,
  };
  const events: string[] = [];
  const locating = locateContext(turn, clock, setting.limits);
  const service = createService({
    sites,
    locating,
    clock,
    server: setting.server ?? "Comanche",
    boundaryNonce: "nonce",
    refusals: new RefusalReport(clock, (text) => events.push(text)),
    tls: setting.tls,
    record: () => undefined,
  });
  return { top, turn, clock, locating, service, events };
}

interface Answer {
  readonly plan: ResponsePlan;
  readonly status: number;
  readonly lines: readonly string[];
  readonly body: Buffer;
}

/** Takes the plan, and reads its body while it may. */
class FakeWriter implements ResponseWriter {
  readonly answers: Answer[] = [];
  send(plan: ResponsePlan): "sent" {
    const lines = plan.fields.map(({ name, value }) => `${name}: ${value}`);
    this.answers.push({ plan, status: plan.status, lines, body: readBody(plan) });
    return "sent";
  }
}

function readBody({ body }: ResponsePlan): Buffer {
  switch (body.kind) {
    case "none":
      return Buffer.alloc(0);
    case "bytes":
      return Buffer.from(body.bytes);
    case "file":
      return readSlice(body.source.descriptor, body.start, body.end);
    case "chunked":
      return Buffer.from(encodeChunked(readSlice(body.source.descriptor, 0, body.size)));
    case "parts": {
      const { descriptor } = body.source;
      const parts = body.parts.flatMap((part) => [part.preamble, readSlice(descriptor, part.start, part.end)]);
      return Buffer.concat([...parts, body.epilogue]);
    }
  }
}

function readSlice(descriptor: number, start: number, end: number): Buffer {
  const slice = Buffer.alloc(end - start);
  assert.equal(readSync(descriptor, slice, 0, slice.length, start), slice.length);
  return slice;
}

const PEER: PeerAddress = { address: "192.0.2.1", port: 1 };

function requestOf(request: FakeRequest, peer = PEER): IncomingRequest {
  const receivedAt = new HandClock().wall();
  const gone = new AbortController().signal;
  const head = fakeRequestHead(request);
  return { head, peer, body: undefined, receivedAt, gone, note: () => undefined };
}

async function ask({ service }: Fixture, request: FakeRequest, peer = PEER): Promise<Answer> {
  const writer = new FakeWriter();
  await service.answer(requestOf(request, peer), writer);
  const [answer, ...others] = writer.answers;
  assert.ok(answer !== undefined && others.length === 0, `${1 + others.length} answers`);
  return answer;
}

async function get(fixture: Fixture, path: string, ...fields: readonly FieldLine[]): Promise<Answer> {
  return ask(fixture, { path, fields });
}

function field({ lines }: Answer, name: string): string | undefined {
  return lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
}

const NOSNIFF = "X-Content-Type-Options: nosniff";

// ---- methods

const ALLOW = "Allow: GET, HEAD, OPTIONS";
const optionsTargets = ["/f.txt", "/", "/missing", "/../x", "/.git", "*"];
for (const path of optionsTargets) {
  test(`OPTIONS ${path}: what may be done, and no content`, async (t) => {
    const { status, lines, plan } = await ask(makeFixture(t), { method: "OPTIONS", path });
    assert.equal(status, 204);
    assert.deepEqual(lines, ["Server: Comanche", ALLOW, NOSNIFF]);
    assert.deepEqual(plan.body, { kind: "none" });
  });
}

for (const method of ["POST", "PUT", "DELETE", "PATCH"] as Method[]) {
  test(`${method}: 405 with Allow, also for what is in memory`, async (t) => {
    const fixture = makeFixture(t);
    await get(fixture, "/f.txt");
    for (const path of ["/f.txt", "/missing", "/"]) {
      const answer = await ask(fixture, { method, path });
      assert.equal(answer.status, 405);
      assert.ok(answer.lines.includes(ALLOW));
      assert.equal(answer.plan.reason, "method-not-allowed");
    }
  });
}

const uploadMethods: [name: string, request: FakeRequest, upload: string | undefined, want: string[]][] = [
  [
    "OPTIONS where uploads go",
    { method: "OPTIONS", path: "/up" },
    "/up",
    ["GET, HEAD, POST, OPTIONS", "application/json"],
  ],
  ["OPTIONS elsewhere", { method: "OPTIONS", path: "/f.txt" }, "/up", ["GET, HEAD, OPTIONS"]],
  ["OPTIONS *", { method: "OPTIONS", path: "*" }, "/up", ["GET, HEAD, OPTIONS"]],
  ["OPTIONS without uploads", { method: "OPTIONS", path: "/up" }, undefined, ["GET, HEAD, OPTIONS"]],
  ["PUT where uploads go", { method: "PUT", path: "/up" }, "/up", ["GET, HEAD, POST, OPTIONS"]],
  ["POST elsewhere", { method: "POST", path: "/up/" }, "/up", ["GET, HEAD, OPTIONS"]],
  ["POST without uploads", { method: "POST", path: "/up" }, undefined, ["GET, HEAD, OPTIONS"]],
];
for (const [name, request, upload, want] of uploadMethods) {
  test(`what may be done: ${name}`, async (t) => {
    const answer = await ask(makeFixture(t, { rules: { upload } }), request);
    assert.equal(answer.status, request.method === "OPTIONS" ? 204 : 405);
    assert.deepEqual([field(answer, "Allow"), field(answer, "Accept-Post")], [want[0], want[1]]);
  });
}

test("a refusal of the protocol with 503 says when to come back", async (t) => {
  const { service, locating } = makeFixture(t);
  const { fields } = service.planRefusal({ status: 503, reason: "too-many-connections" }, undefined);
  assert.equal(fields.find(({ name }) => name === "Retry-After")?.value, String(locating.retryAfter));
});

// ---- HEAD

const headTargets: [name: string, path: string, fields?: FieldLine[]][] = [
  ["a small file", "/f.txt"],
  ["a large file", "/large.bin"],
  ["an index file", "/docs/"],
  ["a listing", "/"],
  ["a listing as JSON", "/", [["Accept", "application/json"]]],
  ["a redirect", "/docs"],
  ["nothing there", "/missing"],
  ["an error as HTML", "/missing", [["Accept", "text/html"]]],
  ["climbing", "/../secret.txt"],
  ["not modified", "/f.txt", [["If-None-Match", "*"]]],
  ["a precondition that fails", "/f.txt", [["If-Match", '"other"']]],
  ["not modified, large", "/large.bin", [["If-None-Match", "*"]]],
  ["If-Range without a range", "/f.txt", [["If-Range", '"x"']]],
];
for (const [name, path, fields = []] of headTargets) {
  test(`HEAD is GET without content, field for field: ${name}`, async (t) => {
    const fixture = makeFixture(t);
    for (let round = 0; round < 3; round += 1) {
      const got = await ask(fixture, { path, fields });
      const head = await ask(fixture, { method: "HEAD", path, fields });
      assert.equal(head.status, got.status);
      assert.deepEqual(head.lines, got.lines);
      assert.deepEqual(head.plan.body, { kind: "none" });
      if (got.status !== 304 && got.status !== 301)
        assert.equal(field(head, "Content-Length"), String(got.body.length));
      fixture.turn.next();
    }
  });
}

test("HEAD of a file from the future is dated like GET, while time goes by", async (t) => {
  const fixture = makeFixture(t);
  const seconds = fixture.clock.time / 1000;
  utimesSync(`${fixture.top}/root/f.txt`, seconds + 60, seconds + 60);
  for (let later = 0; later < 90; later += 30) {
    const date = formatHttpDate(unixSeconds(seconds + Math.min(later - 1, 60)));
    fixture.clock.time = (seconds + later) * 1000;
    assert.equal(field(await get(fixture, "/f.txt"), "Last-Modified"), date);
    assert.equal(field(await ask(fixture, { method: "HEAD", path: "/f.txt" }), "Last-Modified"), date);
  }
});

// ---- what is in memory

test("the plan for a file in memory is made once, and serves its directory too", async (t) => {
  const fixture = makeFixture(t);
  await get(fixture, "/docs/index.html");
  await get(fixture, "/docs/");
  fixture.turn.next();
  const { plan } = await get(fixture, "/docs/index.html");
  assert.ok(plan.memo);
  assert.equal((await get(fixture, "/docs/index.html", ["Accept", "text/html"], ["X-Other", "y"])).plan, plan);
  assert.equal((await get(fixture, "/docs/")).plan, plan);
});

const particular: [name: string, request: FakeRequest, want: number][] = [
  ["HEAD", { method: "HEAD" }, 200],
  ["a range", { fields: [["Range", "bytes=0-1"]] }, 206],
  ["an unsatisfiable range", { fields: [["Range", "bytes=99-"]] }, 416],
  ["If-None-Match", { fields: [["If-None-Match", "*"]] }, 304],
  ["If-Modified-Since", { fields: [["If-Modified-Since", formatHttpDate(unixSeconds(LONG_AGO))]] }, 304],
  ["If-Match", { fields: [["If-Match", '"other"']] }, 412],
  ["If-Unmodified-Since", { fields: [["If-Unmodified-Since", formatHttpDate(unixSeconds(LONG_AGO - 1))]] }, 412],
  ["POST", { method: "POST" }, 405],
  ["OPTIONS", { method: "OPTIONS" }, 204],
];
for (const [name, request, want] of particular) {
  test(`an answer of its own neither uses nor makes the common plan: ${name}`, async (t) => {
    const fixture = makeFixture(t);
    await get(fixture, "/f.txt");
    for (let round = 0; round < 2; round += 1) {
      const own = await ask(fixture, { ...request, path: "/f.txt" });
      assert.equal(own.status, want);
      assert.equal(own.plan.memo, undefined);
      const common = await get(fixture, "/f.txt");
      assert.equal(common.status, 200);
      assert.equal(common.body.toString(), "f.txt");
      assert.deepEqual(common.lines, [
        "Server: Comanche",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Length: 5",
        "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT",
        `ETag: ${field(common, "ETag")}`,
        "Accept-Ranges: bytes",
        NOSNIFF,
      ]);
    }
  });
}

const places: [name: string, path: string, size: number][] = [
  ["in memory", "/f.txt", 5],
  ["opened", "/large.bin", LARGE],
];
for (const [name, path, size] of places) {
  test(`conditions and ranges, ${name}`, async (t) => {
    const fixture = makeFixture(t);
    const tag = field(await get(fixture, path), "ETag") ?? "";
    const modified = formatHttpDate(unixSeconds(LONG_AGO));
    const cases: [name: string, fields: FieldLine[], status: number, length: number][] = [
      ["its own tag", [["If-None-Match", `"x", ${tag}`]], 304, 0],
      ["its own tag, weak", [["If-None-Match", `W/${tag}`]], 304, 0],
      [
        "another tag, whatever the date",
        [
          ["If-None-Match", '"x"'],
          ["If-Modified-Since", modified],
        ],
        200,
        size,
      ],
      ["its own date", [["If-Modified-Since", modified]], 304, 0],
      ["its own tag must match", [["If-Match", tag]], 200, size],
      ["a range", [["Range", "bytes=1-3"]], 206, 3],
      ["the end", [["Range", "bytes=-2"]], 206, 2],
      [
        "If-Range with its tag",
        [
          ["Range", "bytes=1-3"],
          ["If-Range", tag],
        ],
        206,
        3,
      ],
      [
        "If-Range with its tag, weak",
        [
          ["Range", "bytes=1-3"],
          ["If-Range", `W/${tag}`],
        ],
        200,
        size,
      ],
      [
        "If-Range with another tag",
        [
          ["Range", "bytes=1-3"],
          ["If-Range", '"x"'],
        ],
        200,
        size,
      ],
      [
        "If-Range with its date",
        [
          ["Range", "bytes=1-3"],
          ["If-Range", modified],
        ],
        206,
        3,
      ],
      [
        "a condition before the range",
        [
          ["Range", "bytes=1-3"],
          ["If-None-Match", tag],
        ],
        304,
        0,
      ],
      ["a range of no known unit", [["Range", "lines=1-3"]], 200, size],
    ];
    for (const [what, fields, status, length] of cases) {
      const answer = await get(fixture, path, ...fields);
      assert.deepEqual([answer.status, answer.body.length], [status, length], what);
      assert.equal(field(answer, "Content-Range"), status === 206 ? `bytes ${rangeOf(fields, size)}` : undefined, what);
    }
    const many = await get(fixture, path, ["Range", "bytes=0-0,2-2"]);
    assert.match(field(many, "Content-Type") ?? "", /^multipart\/byteranges; boundary=/);
    assert.equal(field(many, "Content-Length"), String(many.body.length));
    assert.equal(field(await get(fixture, path, ["Range", `bytes=${size}-`]), "Content-Range"), `bytes */${size}`);
  });
}

function rangeOf(fields: readonly FieldLine[], size: number): string {
  return fields.some(([, value]) => value === "bytes=-2") ? `${size - 2}-${size - 1}/${size}` : `1-3/${size}`;
}

test("the plan in the chunked coding is not given to HTTP/1.0", async (t) => {
  const fixture = makeFixture(t, { rules: { chunked: true } });
  for (let round = 0; round < 3; round += 1) {
    const modern = await get(fixture, "/f.txt");
    assert.deepEqual(
      [field(modern, "Transfer-Encoding"), modern.body.toString()],
      ["chunked", "5\r\nf.txt\r\n0\r\n\r\n"],
    );
    const old = await ask(fixture, { path: "/f.txt", version: "1.0" });
    assert.deepEqual([field(old, "Content-Length"), old.body.toString()], ["5", "f.txt"]);
  }
});

test("a file that changed between two requests is another", async (t) => {
  for (const limits of [{}, { maxBytes: 0 }]) {
    const fixture = makeFixture(t, { limits });
    const path = `${fixture.top}/root/f.txt`;
    const tags = new Set<string>();
    let version = 0;
    const steps: [change: () => void, want: string | undefined][] = [
      [() => {}, "f.txt"],
      [() => writeOld(path, "F.TXT"), "F.TXT"],
      [() => writeOld(path, "longer than before"), "longer than before"],
      [() => truncateSync(path, 6), "longer"],
      [() => truncateSync(path, 0), ""],
      [() => rmSync(path), undefined],
      [() => writeOld(path, "back"), "back"],
    ];
    for (const [change, want] of steps) {
      change();
      version += 1;
      if (want !== undefined) utimesSync(path, LONG_AGO, LONG_AGO + version);
      fixture.turn.next();
      const answer = await get(fixture, "/f.txt");
      assert.equal(answer.status, want === undefined ? 404 : 200);
      if (want === undefined) continue;
      assert.equal(answer.body.toString(), want);
      assert.equal(field(answer, "Content-Length"), String(want.length));
      tags.add(field(answer, "ETag") ?? "");
    }
    assert.equal(tags.size, 6);
  }
});

// ---- sites

const hosts: [name: string, setting: Setting, host: string | undefined, want: string][] = [
  ["the main site answers all", {}, "whatever.test", "200 f.txt"],
  ["a named site", {}, "wiki.test", "200 wiki"],
  ["a named site by another port and case", {}, "WIKI.test:8080", "200 wiki"],
  ["a directory", { virthost: true }, "a.test", "200 a.test/f.txt"],
  ["another directory", { virthost: true }, "b.test", "200 b.test/f.txt"],
  ["no directory", { virthost: true }, "c.test", "404 host-unknown"],
  ["no host", { virthost: true }, undefined, "404 host-unknown"],
  ["no directory, but a default", { virthost: true, defaultHost: "b.test" }, "c.test", "200 b.test/f.txt"],
  ["not one of the hosts", { rules: { hosts: ["localhost"] } }, "evil.test", "403 host-unknown"],
  ["one of the hosts", { rules: { hosts: ["localhost"] } }, "localhost:99", "200 f.txt"],
];
for (const [name, setting, host, want] of hosts) {
  test(`host: ${name}`, async (t) => {
    const fixture = makeFixture(t, setting);
    // Whatever another site has left in memory is not this one's.
    for (const other of ["a.test", "b.test", "wiki.test", "localhost"])
      await ask(fixture, { path: "/f.txt", host: other });
    for (let round = 0; round < 2; round += 1) {
      const { status, plan, body } = await ask(fixture, { path: "/f.txt", host });
      assert.equal(`${status} ${plan.reason ?? body.toString()}`, want);
    }
  });
}

test("the plans of two sites have nothing in common", async (t) => {
  const fixture = makeFixture(t, { rules: { download: ["txt"], charset: "" } });
  await ask(fixture, { path: "/f.txt" });
  const main = await ask(fixture, { path: "/f.txt" });
  await ask(fixture, { path: "/f.txt", host: "wiki.test" });
  const wiki = await ask(fixture, { path: "/f.txt", host: "wiki.test" });
  assert.deepEqual(
    [field(main, "Content-Disposition"), field(main, "Content-Type")],
    ['attachment; filename="f.txt"', "text/plain"],
  );
  assert.deepEqual(
    [field(wiki, "Content-Disposition"), field(wiki, "Content-Type")],
    [undefined, "text/plain; charset=utf-8"],
  );
});

test("a host's directory that goes is not served from memory", async (t) => {
  const fixture = makeFixture(t, { virthost: true });
  const request = { path: "/f.txt", host: "a.test" };
  assert.equal((await ask(fixture, request)).status, 200);
  assert.equal((await ask(fixture, request)).status, 200);
  rmSync(`${fixture.top}/root/a.test`, { recursive: true });
  fixture.turn.next();
  assert.equal((await ask(fixture, request)).status, 404);
});

// ---- what the operator is told

const reports: [name: string, request: FakeRequest, want: string[]][] = [
  ["climbing", { path: "/../x" }, ["refused /../x from 192.0.2.1: traversal"]],
  ["a link that leads out", { path: "/out" }, ["refused /out from 192.0.2.1: symlink-escape"]],
  ["nothing there", { path: "/missing" }, []],
  ["an unknown host", { host: "zzz" }, ["no site for host zzz from 192.0.2.1"]],
  [
    "an unknown host near to a known one",
    { host: "aa.test" },
    ["no site for host aa.test from 192.0.2.1; did the client mean a.test?"],
  ],
  ["no host", { host: undefined }, ["no site for host (none) from 192.0.2.1"]],
];
for (const [name, request, want] of reports) {
  test(`told to the event log: ${name}`, async (t) => {
    const virthost = "host" in request;
    const fixture = makeFixture(t, { virthost });
    const { body } = await ask(fixture, request);
    assert.deepEqual(fixture.events, want);
    for (const hint of ["a.test", "zzz", fixture.top]) assert.ok(!body.includes(hint), "and not to the client");
  });
}

// ---- fields of the server, error pages

test("the Server field has the name it is given, or is left out", async (t) => {
  for (const [server, want] of [
    ["Comanche", "Comanche"],
    ["x/1 (y)", "x/1 (y)"],
    ["", undefined],
  ] as const) {
    const fixture = makeFixture(t, { server });
    const answers = [
      await get(fixture, "/f.txt"),
      await get(fixture, "/f.txt"),
      await get(fixture, "/missing"),
      await get(fixture, "/"),
      await ask(fixture, { host: "wiki.test" }),
    ];
    for (const answer of answers) assert.equal(field(answer, "Server"), want);
    const early = fixture.service.planRefusal({ status: 400, reason: "bad-field" }, undefined);
    assert.equal(early.fields.find(({ name }) => name === "Server")?.value, want);
  }
});

const ALL_ERRORS = [400, 403, 404, 405, 408, 412, 413, 414, 415, 416, 417, 431, 500, 501, 503, 505, 507] as const;
const ownPages = new Map<number, string>(ALL_ERRORS.map((status) => [status, "/own.html"]));
const OWN = "<p>our own page";

const errors: [name: string, request: FakeRequest, status: number, beside: string[]][] = [
  ["missing", { path: "/missing" }, 404, []],
  ["climbing", { path: "/../x" }, 404, []],
  ["bad encoding", { path: "/%" }, 400, []],
  ["no listing", { path: "/" }, 403, []],
  ["a type that is not allowed", { path: "/large.bin" }, 415, []],
  ["a method that is not allowed", { method: "POST", path: "/f.txt" }, 405, [ALLOW]],
  ["a precondition", { path: "/f.txt", fields: [["If-Match", '"x"']] }, 412, []],
  [
    "a range",
    { path: "/f.txt", fields: [["Range", "bytes=9-"]] },
    416,
    ["Content-Range: bytes */5", "Accept-Ranges: bytes"],
  ],
];
for (const [name, request, status, beside] of errors) {
  for (const limits of [{}, { maxBytes: 0 }]) {
    test(`the site's own page: ${name}${limits.maxBytes === 0 ? ", nothing kept in memory" : ""}`, async (t) => {
      const rules = { errorPages: ownPages, listing: false, types: ["txt", "html"] };
      const fixture = makeFixture(t, { rules, limits });
      writeOld(`${fixture.top}/root/own.html`, OWN);
      for (const method of [request.method ?? "GET", "HEAD"] as const) {
        if (method === "HEAD" && (status === 405 || status === 416)) continue;
        const answer = await ask(fixture, { ...request, method });
        assert.equal(answer.status, status);
        assert.deepEqual(answer.lines, [
          "Server: Comanche",
          "Content-Type: text/html; charset=utf-8",
          `Content-Length: ${OWN.length}`,
          ...beside,
          NOSNIFF,
        ]);
        assert.equal(answer.body.toString(), method === "HEAD" ? "" : OWN);
      }
    });
  }
}

for (const status of [400, 405, 408, 413, 414, 417, 431, 500, 501, 503, 505, 507] as const) {
  test(`the site's own page for what never became a request: ${status}`, (t) => {
    const { service, top } = makeFixture(t, { rules: { errorPages: ownPages } });
    writeOld(`${top}/root/own.html`, OWN);
    for (const head of [undefined, fakeRequestHead()]) {
      const plan = service.planRefusal({ status, reason: "internal-error" }, head);
      const names = plan.fields.map(({ name }) => name);
      assert.deepEqual([plan.status, readBody(plan).toString()], [status, OWN]);
      assert.equal(names.includes("Allow"), status === 405);
      assert.equal(names.includes("Retry-After"), status === 503);
      assert.equal(new Set(names).size, names.length);
    }
  });
}

test("the page is that of the site which was asked, or of none", async (t) => {
  const fixture = makeFixture(t, { virthost: true, rules: { errorPages: new Map([[404, "/own.html"]]) } });
  writeOld(`${fixture.top}/root/own.html`, "page of all");
  writeOld(`${fixture.top}/root/a.test/own.html`, "page of a");
  const bodies: [host: string | undefined, want: RegExp][] = [
    ["a.test", /^page of a$/],
    ["b.test", /Reason code: not-found/],
    ["wiki.test", /Reason code: not-found/],
    ["unknown.test", /Reason code: host-unknown/],
    [undefined, /Reason code: host-unknown/],
  ];
  for (const [host, want] of bodies)
    assert.match((await ask(fixture, { path: "/missing", host })).body.toString(), want);
  const early = fixture.service.planRefusal({ status: 404, reason: "bad-host" }, undefined);
  assert.match(readBody(early).toString(), /Reason code: bad-host/);
});

const poorPages: [name: string, make: (root: string) => void][] = [
  ["missing", () => {}],
  ["itself refused by its type", (root) => writeOld(`${root}/own.exe`, OWN)],
  ["a directory", (root) => mkdirSync(`${root}/own.exe`)],
  ["a link out", (root) => addToTree(root, { "own.exe": linkTo("../secret.txt") })],
];
for (const [name, make] of poorPages) {
  test(`a page of the site that is no use gives way to the built-in one: ${name}`, async (t) => {
    const rules = {
      types: ["txt"],
      errorPages: new Map([
        [404, "/own.exe"],
        [415, "/own.exe"],
      ]),
    };
    const fixture = makeFixture(t, { rules });
    make(`${fixture.top}/root`);
    const answer = await get(fixture, "/missing.txt");
    assert.equal(answer.status, 404);
    assert.match(answer.body.toString(), /Reason code: not-found/);
  });
}

const descriptorLimit = Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
const tooManyToHold = descriptorLimit > 200_000 && "this process may open too many files to open them all";

test("503 with Retry-After when descriptors have run out; what is in memory is served", {
  skip: tooManyToHold,
}, async (t) => {
  const fixture = makeFixture(t, { rules: { errorPages: ownPages } });
  await get(fixture, "/f.txt");
  fixture.turn.next();
  const held: number[] = [];
  const writer = new FakeWriter();
  try {
    assert.throws(
      () => {
        for (;;) held.push(openSync("/dev/null", "r"));
      },
      { code: "EMFILE" },
    );
    for (const path of ["/large.bin", "/a.test/f.txt", "/f.txt"]) fixture.service.answer(requestOf({ path }), writer);
  } finally {
    for (const descriptor of held) closeSync(descriptor);
  }
  const [large, small, kept] = writer.answers;
  for (const answer of [large, small]) {
    assert.ok(answer);
    assert.deepEqual([answer.status, field(answer, "Retry-After")], [503, "1"]);
    assert.match(answer.body.toString(), /Reason code: out-of-descriptors/);
  }
  assert.equal(kept?.body.toString(), "f.txt");
});

// ---- TLS

const localPeer: PeerAddress = { address: "unix", port: 0 };
const strictly: [name: string, peer: PeerAddress, want: string | undefined][] = [
  ["with TLS", { ...PEER, tls: {} }, "max-age=60"],
  ["on a Unix socket", localPeer, undefined],
  ["on the Unix socket of a proxy that ends TLS", { ...localPeer, tls: {} }, "max-age=60"],
];
test("Strict-Transport-Security: for clients that use TLS alone, whoever asked for the same file before", async (t) => {
  const fixture = makeFixture(t, { tls: { port: 443, redirects: true, hsts: seconds(60) } });
  const etag = field(await ask(fixture, { path: "/f.txt" }, localPeer), "ETag") ?? "";
  for (const [name, peer, want] of [...strictly, ...strictly]) {
    for (const fields of [[], [["If-None-Match", etag]], [["Range", "bytes=1-2"]]] as const) {
      const answer = await ask(fixture, { path: "/f.txt", fields }, peer);
      assert.equal(field(answer, "Strict-Transport-Security"), want, `${name}, ${answer.status}`);
    }
  }
});

// ---- versions

const sizesOfFiles: [name: string, size: number, setting: Setting][] = [
  ["kept in memory", 5, {}],
  ["small, where nothing is kept", 5, { limits: { maxBytes: 0 } }],
  ["too large to be kept", LARGE, {}],
  ["too large to be kept, in the chunked coding", LARGE, { rules: { chunked: true } }],
];
for (const [name, size, setting] of sizesOfFiles) {
  test(`a file that was rewritten at the same length and dated back is another version: ${name}`, async (t) => {
    const fixture = makeFixture(t, setting);
    const path = `${fixture.top}/root/v.bin`;
    writeOld(path, Buffer.alloc(size, "1"));
    const tag = field(await get(fixture, "/v.bin"), "ETag") ?? "";
    assert.match(tag, /^"/);
    passTick(path, fixture.top);
    writeOld(path, Buffer.alloc(size, "2"));
    fixture.turn.next();
    const statuses: number[] = [];
    for (const fields of [
      [["If-None-Match", tag]],
      [["If-Match", tag]],
      [
        ["Range", "bytes=1-"],
        ["If-Range", tag],
      ],
    ] satisfies FieldLine[][]) {
      statuses.push((await ask(fixture, { path: "/v.bin", fields })).status);
    }
    assert.deepEqual(statuses, [200, 412, 200]);
  });

  test(`one version has one tag, whatever is asked: ${name}`, async (t) => {
    const fixture = makeFixture(t, setting);
    writeOld(`${fixture.top}/root/v.bin`, Buffer.alloc(size, "1"));
    const tags = new Set<string | undefined>();
    for (let round = 0; round < 3; round += 1) {
      for (const request of [
        {},
        { method: "HEAD" },
        { fields: [["Range", "bytes=1-2"]] },
        { fields: [["If-None-Match", "*"]] },
        { version: "1.0" },
      ] satisfies FakeRequest[]) {
        tags.add(field(await ask(fixture, { path: "/v.bin", ...request }), "ETag"));
      }
      fixture.turn.next();
    }
    assert.equal(tags.size, 1);
  });
}

const copies: [name: string, size: number, rules: Partial<SiteRules>, isSame: boolean][] = [
  ["small", 5, {}, true],
  ["large", LARGE, {}, false],
  ["large, with etag = portable", LARGE, { etag: "portable" }, true],
];
for (const [name, size, rules, isSame] of copies) {
  test(`copies that keep their times: ${name}: ${isSame ? "one tag" : "two tags"}`, async (t) => {
    const fixture = makeFixture(t, { rules });
    for (const copy of ["one.bin", "two.bin"]) writeOld(`${fixture.top}/root/${copy}`, Buffer.alloc(size, "1"));
    const [one, two] = [await get(fixture, "/one.bin"), await get(fixture, "/two.bin")];
    assert.equal(field(one, "ETag") === field(two, "ETag"), isSame);
  });
}

test("times that mean no time: no Last-Modified, from memory and from disk", async (t) => {
  for (const second of [0, 1, 2]) {
    const fixture = makeFixture(t);
    for (const name of ["f.txt", "large.bin"]) {
      utimesSync(`${fixture.top}/root/${name}`, second, second);
      for (let round = 0; round < 2; round += 1) {
        const want = second === 2 ? "Thu, 01 Jan 1970 00:00:02 GMT" : undefined;
        assert.equal(field(await get(fixture, `/${name}`), "Last-Modified"), want);
      }
    }
  }
});

// ---- file systems that lie or fail

/** A service whose document root is that folder. */
function serveFolder(t: TestContext, path: string): Fixture {
  const fixture = makeFixture(t);
  rmSync(`${fixture.top}/root`, { recursive: true });
  symlinkSync(path, `${fixture.top}/root`);
  return fixture;
}

test("a file of /proc has the size of its content, and no date", async (t) => {
  const fixture = serveFolder(t, "/proc/self");
  const content = readFileSync("/proc/self/cmdline");
  const answer = await get(fixture, "/cmdline");
  assert.deepEqual([answer.status, answer.body], [200, content]);
  assert.equal(field(answer, "Content-Length"), String(content.length));
  assert.equal(field(answer, "Last-Modified"), undefined);
  const head = await ask(fixture, { method: "HEAD", path: "/cmdline" });
  assert.deepEqual(head.lines, answer.lines);
  const tag = field(answer, "ETag") ?? "";
  assert.equal((await ask(fixture, { path: "/cmdline", fields: [["If-None-Match", tag]] })).status, 304);
});

test("a file that cannot be read is 503, and the event log names the error", async (t) => {
  const fixture = serveFolder(t, "/proc/self");
  // Reading at the address 0 of a process is an input/output error.
  const answer = await get(fixture, "/mem");
  assert.deepEqual([answer.status, field(answer, "Retry-After"), answer.plan.reason], [503, "10", "unreadable"]);
  assert.doesNotMatch(answer.body.toString(), /EIO/);
  assert.deepEqual(fixture.events, ["cannot read /mem: EIO"]);
});

test("a transfer that ends because of its file is one line of the event log", async (t) => {
  const fixture = makeFixture(t);
  for (const kind of ["changed", "unreadable"] as const) {
    const writer = new SlowWriter();
    const answering = fixture.service.answer(requestOf({ path: "/large.bin" }), writer);
    writer.end({ kind, why: "the reason", isHeadSent: true });
    await answering;
  }
  const line = "cannot send /large.bin to 192.0.2.1: the reason";
  assert.deepEqual(fixture.events, [line, line]);
});

// ---- descriptors

/** A writer that ends when the test says so. */
class SlowWriter implements ResponseWriter {
  plan: ResponsePlan | undefined;
  end: (outcome: SendOutcome) => void = () => {};
  fail: (fault: Error) => void = () => {};
  send(plan: ResponsePlan): Promise<SendOutcome> {
    this.plan = plan;
    return new Promise((resolve, reject) => {
      this.end = resolve;
      this.fail = reject;
    });
  }
}

const endings: [name: string, end: (writer: SlowWriter) => void, want: "ends" | "fails"][] = [
  ["sent", (writer) => writer.end("sent"), "ends"],
  ["the client went away", (writer) => writer.end("cut"), "ends"],
  ["a fault while sending", (writer) => writer.fail(new Error("ours")), "fails"],
];
for (const [name, end, want] of endings) {
  test(`a large file is open until its response has ended: ${name}`, async (t) => {
    const { service } = makeFixture(t);
    const writer = new SlowWriter();
    const answering = Promise.resolve(service.answer(requestOf({ path: "/large.bin" }), writer));
    const body = writer.plan?.body;
    assert.ok(body?.kind === "file");
    assert.equal(fstatSync(body.source.descriptor).size, LARGE);
    end(writer);
    await (want === "ends" ? answering : assert.rejects(answering, /ours/));
    assert.throws(() => fstatSync(body.source.descriptor), { code: "EBADF" });
  });
}

test("a writer that throws at once leaves nothing open", { skip: descriptorsUncounted }, (t) => {
  const { service } = makeFixture(t);
  const send = (): never => {
    throw new Error("ours");
  };
  const before = countDescriptors();
  for (let i = 0; i < 10; i += 1) {
    assert.throws(() => service.answer(requestOf({ path: "/large.bin" }), { send }), /ours/);
  }
  assert.equal(countDescriptors(), before);
});

test("a thousand mixed requests leave nothing open", { skip: descriptorsUncounted }, async (t) => {
  const fixture = makeFixture(t);
  const paths = ["/f.txt", "/large.bin", "/", "/docs", "/docs/", "/missing", "/out", "/../x", "/%", "/a.test/"];
  const variants: Omit<FakeRequest, "path">[] = [
    {},
    { method: "HEAD" },
    { method: "POST" },
    { method: "OPTIONS" },
    { fields: [["Range", "bytes=0-1"]] },
    { fields: [["Range", "bytes=0-1,3-4"]] },
    { fields: [["Range", "bytes=99999999-"]] },
    { fields: [["If-None-Match", "*"]] },
    { fields: [["If-Match", '"x"']] },
    { host: "wiki.test" },
  ];
  await get(fixture, "/");
  const before = countDescriptors();
  for (let i = 0; i < 1000; i += 1) {
    if (i % 9 === 0) fixture.turn.next();
    if (i % 50 === 0) writeFileSync(`${fixture.top}/root/f.txt`, `change ${i}`);
    await ask(fixture, { ...variants[Math.floor(i / 10) % variants.length], path: paths[i % paths.length] ?? "/" });
  }
  assert.equal(countDescriptors(), before);
});
