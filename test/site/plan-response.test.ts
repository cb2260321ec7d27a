import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { bytes, seconds, unixSeconds } from "../../src/base/units.ts";
import { decideRanges } from "../../src/http/byte-range.ts";
import { formatHttpDate } from "../../src/http/http-date.ts";
import { formatBoundary, joinMultipart, planMultipartRanges } from "../../src/http/multipart-ranges.ts";
import { bodyLength, type FileFacts, type OpenSource, type ResponsePlan } from "../../src/http/response-plan.ts";
import { renderErrorPage } from "../../src/site/error-page.ts";
import type { PlanContext } from "../../src/site/plan-file.ts";
import { hstsField, planRefusal, planResponse } from "../../src/site/plan-response.ts";
import type { RenderedPage, Resource } from "../../src/site/resource.ts";
import { type FakeRequest, type FieldLine, fakeRequestHead } from "../support/request-head.ts";

const MODIFIED = unixSeconds(1_700_000_000);
const context: PlanContext = { now: unixSeconds(MODIFIED + 86_400), boundaryNonce: "nonce", chunked: false };
const CONTENT = Buffer.from("0123456789");
const facts: FileFacts = {
  size: bytes(CONTENT.length),
  modified: MODIFIED,
  tag: { weak: false, opaque: "v1" },
  mediaType: "text/plain; charset=utf-8",
};
const MODIFIED_NS = BigInt(MODIFIED) * 1_000_000_000n;
const source: OpenSource = {
  descriptor: 7,
  identity: { device: 1n, inode: 2n, size: facts.size, modifiedNs: MODIFIED_NS, changedNs: MODIFIED_NS },
  isSettled: true,
};
const cached: Resource = { kind: "file", facts, content: { kind: "memory", bytes: CONTENT } };
const opened: Resource = { kind: "file", facts, content: { kind: "open", source } };
const listing: RenderedPage = {
  mediaType: "text/html; charset=utf-8",
  bytes: Buffer.from("<ul></ul>"),
  vary: "Accept",
};

const LAST_MODIFIED = `Last-Modified: ${formatHttpDate(MODIFIED)}`;
const BOUNDARY = formatBoundary(facts.tag, context.boundaryNonce);

/** As lines, in the order of sending. */
const lines = (plan: ResponsePlan) => plan.fields.map(({ name, value }) => `${name}: ${value}`);
const plan = (resource: Resource, request: FakeRequest = {}) =>
  planResponse(fakeRequestHead(request), resource, context);
const planChunked = (resource: Resource, request: FakeRequest = {}) =>
  planResponse(fakeRequestHead(request), resource, { ...context, chunked: true });
const withField = (...fields: FieldLine[]): FakeRequest => ({ fields });

const errorFields = (page: RenderedPage) => [
  `Content-Type: ${page.mediaType}`,
  `Content-Length: ${page.bytes.length}`,
  "Vary: Accept",
];

test("a file: every field, in order", () => {
  assert.deepEqual(lines(plan(cached)), [
    "Content-Type: text/plain; charset=utf-8",
    "Content-Length: 10",
    LAST_MODIFIED,
    'ETag: "v1"',
    "Accept-Ranges: bytes",
    "X-Content-Type-Options: nosniff",
  ]);
});

test("a file: status and body", () => {
  assert.equal(plan(cached).status, 200);
  assert.deepEqual(plan(cached).body, { kind: "bytes", bytes: CONTENT });
  assert.deepEqual(plan(opened).body, { kind: "file", source, start: 0, end: 10, isJoined: false });
});

const CHUNKED_FIELDS = [
  "Content-Type: text/plain; charset=utf-8",
  "Transfer-Encoding: chunked",
  LAST_MODIFIED,
  'ETag: "v1"',
  "Accept-Ranges: bytes",
  "X-Content-Type-Options: nosniff",
];

test("a file in the chunked coding: every field, in order, for HEAD as well", () => {
  assert.deepEqual(lines(planChunked(cached)), CHUNKED_FIELDS);
  assert.deepEqual(lines(planChunked(opened)), CHUNKED_FIELDS);
  assert.deepEqual(lines(planChunked(cached, { method: "HEAD" })), CHUNKED_FIELDS);
  assert.deepEqual(lines(planChunked(opened, { method: "HEAD" })), CHUNKED_FIELDS);
});

test("a file in the chunked coding: status and body", () => {
  assert.equal(planChunked(cached).status, 200);
  assert.deepEqual(planChunked(cached).body, { kind: "bytes", bytes: Buffer.from("a\r\n0123456789\r\n0\r\n\r\n") });
  assert.deepEqual(planChunked(opened).body, { kind: "chunked", source, size: 10 });
  assert.deepEqual(planChunked(opened, { method: "HEAD" }).body, { kind: "none" });
  assert.equal(bodyLength(planChunked(opened).body), bodyLength(planChunked(cached).body));
});

const unchunked: [name: string, resource: Resource, request: FakeRequest][] = [
  ["HTTP/1.0 does not know it", cached, { version: "1.0" }],
  ["HTTP/1.0, HEAD", cached, { version: "1.0", method: "HEAD" }],
  ["HTTP/1.0, from a descriptor", opened, { version: "1.0" }],
  ["one range", opened, { fields: [["Range", "bytes=0-1"]] }],
  ["several ranges", cached, { fields: [["Range", "bytes=0-1,4-5"]] }],
  ["a range outside the file", cached, { fields: [["Range", "bytes=10-"]] }],
  ["not modified", opened, { fields: [["If-None-Match", '"v1"']] }],
  ["a precondition that fails", opened, { fields: [["If-Match", '"v2"']] }],
  ["a page", { kind: "page", page: listing }, {}],
  ["a redirect", { kind: "redirect", location: "/a/" }, {}],
  ["an error", { kind: "refused", status: 404, reason: "not-found" }, {}],
];
for (const [name, resource, request] of unchunked) {
  test(`with chunked = yes as without it: ${name}`, () => {
    assert.deepEqual(planChunked(resource, request), plan(resource, request));
  });
}

test("a range that If-Range lets go is the whole file, in the chunked coding", () => {
  const request = withField(["Range", "bytes=0-1"], ["If-Range", '"v2"']);
  assert.deepEqual(planChunked(opened, request), planChunked(opened));
});

const dates: [name: string, age: number][] = [
  ["of a second ago", 1],
  ["of this second: another change could get the same date, so it is dated back", 0],
  ["dated in the future", -99],
];
for (const [name, age] of dates) {
  test(`Last-Modified of a file ${name}`, () => {
    const { now } = context;
    const young: Resource = { ...cached, facts: { ...facts, modified: unixSeconds(now - age) } };
    assert.ok(lines(plan(young)).includes(`Last-Modified: ${formatHttpDate(unixSeconds(now - 1))}`));
    // The true date is compared, so a date that was given before a second change never counts as the present one.
    const given = formatHttpDate(unixSeconds(now - 1));
    assert.equal(plan(young, withField(["If-Modified-Since", given])).status, age === 1 ? 304 : 200);
    const ranged = withField(["Range", "bytes=0-1"], ["If-Range", given]);
    assert.equal(plan(young, ranged).status, age === 1 ? 206 : 200);
  });
}

test("a file without a time has no Last-Modified, and dates are ignored", () => {
  const timeless: Resource = { ...cached, facts: { ...facts, modified: undefined } };
  assert.ok(!lines(plan(timeless)).some((line) => line.startsWith("Last-Modified")));
  for (const date of [0, 1, MODIFIED].map((seconds) => formatHttpDate(unixSeconds(seconds)))) {
    assert.equal(plan(timeless, withField(["If-Modified-Since", date])).status, 200);
    assert.equal(plan(timeless, withField(["If-Unmodified-Since", date])).status, 200);
    assert.equal(plan(timeless, withField(["Range", "bytes=0-1"], ["If-Range", date])).status, 200);
  }
});

test("a file offered as a download says so, in part as well", () => {
  const download: Resource = { ...cached, facts: { ...facts, downloadName: "a.txt" } };
  const want = 'Content-Disposition: attachment; filename="a.txt"';
  assert.ok(lines(plan(download)).includes(want));
  assert.ok(lines(plan(download, withField(["Range", "bytes=0-1"]))).includes(want));
});

test("one range: every field, in order", () => {
  assert.deepEqual(lines(plan(opened, withField(["Range", "bytes=2-4"]))), [
    "Content-Type: text/plain; charset=utf-8",
    "Content-Length: 3",
    "Content-Range: bytes 2-4/10",
    LAST_MODIFIED,
    'ETag: "v1"',
    "Accept-Ranges: bytes",
    "X-Content-Type-Options: nosniff",
  ]);
});

test("one range: status and body", () => {
  const request = withField(["Range", "bytes=2-4"]);
  assert.equal(plan(opened, request).status, 206);
  assert.deepEqual(plan(opened, request).body, { kind: "file", source, start: 2, end: 5, isJoined: false });
  assert.deepEqual(plan(cached, request).body, { kind: "bytes", bytes: CONTENT.subarray(2, 5) });
});

test("a part that the client joins with others: said to the sender", () => {
  for (const name of ["If-Range", "If-Match"]) {
    const { body: joined }: ResponsePlan = plan(opened, withField(["Range", "bytes=2-4"], [name, '"v1"']));
    assert.equal(joined.kind === "file" && joined.isJoined, true);
    const { body: parts }: ResponsePlan = plan(opened, withField(["Range", "bytes=0-1,4-5"], [name, '"v1"']));
    assert.equal(parts.kind === "parts" && parts.isJoined, true);
  }
  const whole = plan(opened, withField(["If-Match", '"v1"'])).body;
  assert.equal(whole.kind === "file" && whole.isJoined, false);
});

test("several ranges: the head has no Content-Range", () => {
  const multipart = planMultipartRanges(
    facts,
    [
      { start: bytes(0), end: bytes(2) },
      { start: bytes(8), end: bytes(10) },
    ],
    BOUNDARY,
  );
  for (const resource of [cached, opened]) {
    const made = plan(resource, withField(["Range", "bytes=0-1,-2"]));
    assert.equal(made.status, 206);
    assert.deepEqual(lines(made), [
      `Content-Type: multipart/byteranges; boundary=${BOUNDARY}`,
      `Content-Length: ${multipart.length}`,
      LAST_MODIFIED,
      'ETag: "v1"',
      "Accept-Ranges: bytes",
      "X-Content-Type-Options: nosniff",
    ]);
  }
});

test("several ranges: parts of a descriptor, or one buffer from memory", () => {
  const ranges = [
    { start: bytes(0), end: bytes(2) },
    { start: bytes(8), end: bytes(10) },
  ];
  const multipart = planMultipartRanges(facts, ranges, BOUNDARY);
  const request = withField(["Range", "bytes=0-1,-2"]);
  assert.deepEqual(plan(opened, request).body, { kind: "parts", source, isJoined: false, ...multipart });
  assert.deepEqual(plan(cached, request).body, { kind: "bytes", bytes: joinMultipart(CONTENT, multipart) });
});

const EARLIER = formatHttpDate(unixSeconds(MODIFIED - 1));
const SAME = formatHttpDate(MODIFIED);

const statuses: [name: string, request: FakeRequest, want: number][] = [
  ["If-None-Match of this version", withField(["If-None-Match", '"v1"']), 304],
  ["the same for HEAD", { method: "HEAD", fields: [["If-None-Match", '"v1"']] }, 304],
  ["If-Modified-Since the same second", withField(["If-Modified-Since", SAME]), 304],
  ["If-Match of another version", withField(["If-Match", '"v0"']), 412],
  ["the same for HEAD", { method: "HEAD", fields: [["If-Match", '"v0"']] }, 412],
  ["If-Unmodified-Since before the change", withField(["If-Unmodified-Since", EARLIER]), 412],
  ["a condition comes before the range", withField(["If-None-Match", '"v1"'], ["Range", "bytes=0-1"]), 304],
  ["a condition comes before a bad range", withField(["If-Match", '"v0"'], ["Range", "bytes=99-"]), 412],
  ["a condition that holds, and a range", withField(["If-Match", '"v1"'], ["Range", "bytes=0-1"]), 206],
  ["a range past the end", withField(["Range", "bytes=10-"]), 416],
  ["a malformed range", withField(["Range", "bytes=x"]), 200],
  ["ranges on two lines are one malformed list", withField(["Range", "bytes=0-1"], ["Range", "bytes=4-5"]), 200],
  ["HEAD ignores Range", { method: "HEAD", fields: [["Range", "bytes=0-1"]] }, 200],
  ["HEAD ignores a range past the end", { method: "HEAD", fields: [["Range", "bytes=10-"]] }, 200],
  ["If-Range of this version", withField(["Range", "bytes=0-1"], ["If-Range", '"v1"']), 206],
  ["If-Range of another version", withField(["Range", "bytes=0-1"], ["If-Range", '"v0"']), 200],
  ["If-Range of another version, past the end", withField(["Range", "bytes=99-"], ["If-Range", '"v0"']), 200],
  ["If-Range with the date", withField(["Range", "bytes=0-1"], ["If-Range", SAME]), 206],
  ["If-Range without Range", withField(["If-Range", '"v0"']), 200],
];
for (const [name, request, want] of statuses) {
  test(`status of a file: ${name}`, () => assert.equal(plan(opened, request).status, want));
}

test("304: the tag, and nothing that describes a body", () => {
  const made = plan(cached, withField(["If-None-Match", '"v1"']));
  assert.deepEqual(lines(made), ['ETag: "v1"', "X-Content-Type-Options: nosniff"]);
  assert.deepEqual(made.body, { kind: "none" });
});

test("412: an error page", () => {
  const made = plan(cached, withField(["If-Match", '"v0"'], ["Accept", "text/html"]));
  const page = renderErrorPage(412, "precondition-failed", "text/html");
  assert.equal(made.reason, "precondition-failed");
  assert.deepEqual(made.body, { kind: "bytes", bytes: page.bytes });
  assert.deepEqual(lines(made), [...errorFields(page), "X-Content-Type-Options: nosniff"]);
});

test("416: an error page that names the size", () => {
  const made = plan(cached, withField(["Range", "bytes=10-"]));
  const page = renderErrorPage(416, "range-unsatisfiable", undefined);
  assert.equal(made.reason, "range-unsatisfiable");
  assert.deepEqual(lines(made), [
    ...errorFields(page),
    "Content-Range: bytes */10",
    "Accept-Ranges: bytes",
    "X-Content-Type-Options: nosniff",
  ]);
});

test("an empty file", () => {
  const empty = { ...facts, size: bytes(0) };
  const inMemory = plan({ kind: "file", facts: empty, content: { kind: "memory", bytes: new Uint8Array(0) } });
  const open = plan(
    { kind: "file", facts: empty, content: { kind: "open", source } },
    withField(["Range", "bytes=-1"]),
  );
  assert.deepEqual([inMemory.status, bodyLength(inMemory.body)], [200, 0]);
  assert.deepEqual([open.status, open.body], [200, { kind: "file", source, start: 0, end: 0, isJoined: false }]);
  assert.ok(lines(open).includes("Content-Length: 0"));
});

test("a page: no validators, Vary where its form was chosen", () => {
  const made = plan({ kind: "page", page: listing });
  assert.equal(made.status, 200);
  assert.deepEqual(made.body, { kind: "bytes", bytes: listing.bytes });
  assert.deepEqual(lines(made), [
    "Content-Type: text/html; charset=utf-8",
    "Content-Length: 9",
    "Vary: Accept",
    "X-Content-Type-Options: nosniff",
  ]);
});

test("a page of one form only has no Vary", () => {
  const made = plan({ kind: "page", page: { mediaType: "text/html", bytes: CONTENT } });
  assert.deepEqual(
    lines(made).filter((line) => line.startsWith("Vary")),
    [],
  );
});

const pageStatuses: [name: string, field: FieldLine, want: number][] = [
  ["a range is ignored", ["Range", "bytes=0-1"], 200],
  ["a tag is never that of a page", ["If-None-Match", '"v1"'], 200],
  ["not if there is any", ["If-None-Match", "*"], 304],
  ["only that version", ["If-Match", '"v1"'], 412],
  ["a date is ignored", ["If-Modified-Since", SAME], 200],
];
for (const [name, field, want] of pageStatuses) {
  test(`status of a page: ${name}`, () => {
    assert.equal(plan({ kind: "page", page: listing }, withField(field)).status, want);
  });
}

test("a page that is not sent still says what its form depends on", () => {
  const made = plan({ kind: "page", page: listing }, withField(["If-None-Match", "*"]));
  assert.deepEqual(lines(made), ["Vary: Accept", "X-Content-Type-Options: nosniff"]);
});

test("a redirect", () => {
  const made = plan({ kind: "redirect", location: "/a/?b" });
  assert.equal(made.status, 301);
  assert.deepEqual(lines(made), ["Location: /a/?b", "Content-Length: 0", "X-Content-Type-Options: nosniff"]);
});

for (const method of ["POST", "PUT", "DELETE", "OPTIONS"] as const) {
  test(`a redirect of ${method}: the client must repeat that method`, () => {
    assert.equal(plan({ kind: "redirect", location: "/a/" }, { method }).status, 308);
  });
}

test("a redirect stays one whatever the conditions", () => {
  assert.equal(plan({ kind: "redirect", location: "/a/" }, withField(["If-Match", '"x"'])).status, 301);
});

test("OPTIONS: 204 without length", () => {
  const made = plan({ kind: "options", allow: "GET, HEAD, OPTIONS" }, { method: "OPTIONS" });
  assert.equal(made.status, 204);
  assert.deepEqual(lines(made), ["Allow: GET, HEAD, OPTIONS", "X-Content-Type-Options: nosniff"]);
  assert.deepEqual(made.body, { kind: "none" });
});

test("OPTIONS: the types that may be posted, where any may", () => {
  const made = plan({ kind: "options", allow: "POST", acceptPost: "application/json" }, { method: "OPTIONS" });
  assert.deepEqual(lines(made).slice(0, 2), ["Allow: POST", "Accept-Post: application/json"]);
});

test("created: 201 with its location", () => {
  const receipt = { location: "/u/x.json", name: "x.json", size: bytes(1), sha256: "ab" };
  const made = plan({ kind: "created", receipt }, { method: "POST" });
  assert.equal(made.status, 201);
  assert.ok(lines(made).includes("Location: /u/x.json"));
  assert.equal(bodyLength(made.body), Number(made.fields.find(({ name }) => name === "Content-Length")?.value));
});

test("refused with a detail: it is in the page", () => {
  const made = plan({ kind: "refused", status: 400, reason: "bad-json", detail: "line 1" }, { method: "POST" });
  const page = renderErrorPage(400, "bad-json", undefined, "line 1");
  assert.deepEqual(made.body, { kind: "bytes", bytes: page.bytes });
});

test("refused: the built-in page, with the fields of the status", () => {
  const made = plan(
    { kind: "refused", status: 405, reason: "method-not-allowed", fields: [{ name: "Allow", value: "GET, HEAD" }] },
    { method: "POST" },
  );
  const page = renderErrorPage(405, "method-not-allowed", undefined);
  assert.deepEqual([made.status, made.reason], [405, "method-not-allowed"]);
  assert.deepEqual(lines(made), [...errorFields(page), "Allow: GET, HEAD", "X-Content-Type-Options: nosniff"]);
});

test("refused stays refused whatever the conditions", () => {
  const request = withField(["If-None-Match", "*"], ["If-Match", '"x"'], ["Range", "bytes=0-1"]);
  assert.equal(plan({ kind: "refused", status: 404, reason: "not-found" }, request).status, 404);
});

test("busy: when to come back", () => {
  const made = plan({ kind: "busy", reason: "out-of-descriptors", retryAfter: seconds(4.2) });
  assert.deepEqual([made.status, made.reason], [503, "out-of-descriptors"]);
  assert.ok(lines(made).includes("Retry-After: 5"));
});

test("planRefusal: without a head, plain text", () => {
  const made = planRefusal({ status: 400, reason: "bad-field" }, undefined);
  const page = renderErrorPage(400, "bad-field", undefined);
  assert.deepEqual([made.status, made.reason, made.body], [400, "bad-field", { kind: "bytes", bytes: page.bytes }]);
});

test("planRefusal: with a head, by its Accept, and for HEAD without the body", () => {
  const head = fakeRequestHead({ method: "HEAD", fields: [["Accept", "text/html"]] });
  const made = planRefusal({ status: 417, reason: "unknown-expectation" }, head);
  assert.deepEqual(made.body, { kind: "none" });
  assert.ok(lines(made).includes("Content-Type: text/html; charset=utf-8"));
});

const resources: [name: string, resource: Resource][] = [
  ["a cached file", cached],
  ["an open file", opened],
  ["a page", { kind: "page", page: listing }],
  ["a redirect", { kind: "redirect", location: "/a/" }],
  ["a refusal", { kind: "refused", status: 404, reason: "not-found" }],
  ["busy", { kind: "busy", reason: "out-of-descriptors", retryAfter: seconds(5) }],
];
const conditions: [name: string, fields: readonly FieldLine[]][] = [
  ["without conditions", []],
  ["not modified", [["If-None-Match", "*"]]],
  ["failed", [["If-Match", '"x"']]],
  ["a form", [["Accept", "application/json"]]],
];
for (const [what, resource] of resources) {
  for (const [how, fields] of conditions) {
    test(`HEAD is GET without the body: ${what}, ${how}`, () => {
      const get = plan(resource, { method: "GET", fields });
      assert.deepEqual(plan(resource, { method: "HEAD", fields }), { ...get, body: { kind: "none" } });
    });
  }
}

test("Content-Length is the length of the body, for any Range", () => {
  const position = fc.oneof(fc.constant(""), fc.nat(15).map(String));
  const field = fc
    .array(fc.tuple(position, position), { maxLength: 20 })
    .map((all) => `bytes=${all.map(([a, b]) => `${a}-${b}`).join(",")}`);
  fc.assert(
    fc.property(field, (range) => {
      for (const resource of [cached, opened]) {
        const made = plan(resource, withField(["Range", range]));
        assert.equal(made.fields.find(({ name }) => name === "Content-Length")?.value, String(bodyLength(made.body)));
      }
    }),
  );
});

test("what is sent from memory is what would be sent from the descriptor", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(9), { minLength: 1 }), (places) => {
      const range = `bytes=${places.map((place) => `${place}-${place}`).join(",")}`;
      const [fromMemory, fromFile] = [cached, opened].map((resource) => plan(resource, withField(["Range", range])));
      assert.deepEqual(fromMemory?.fields, fromFile?.fields);
      assert.equal(decideRanges(range, facts.size).kind, places.length === 1 ? "part" : "parts");
      assert.deepEqual(bodyOf(fromMemory), bodyOf(fromFile));
    }),
  );
});

/** The bytes a writer would send, reading CONTENT for the descriptor. */
function bodyOf(made: ResponsePlan | undefined): Buffer {
  const body = made?.body;
  switch (body?.kind) {
    case "bytes":
      return Buffer.from(body.bytes);
    case "file":
      return CONTENT.subarray(body.start, body.end);
    case "parts":
      return Buffer.concat([
        ...body.parts.flatMap((part) => [part.preamble, CONTENT.subarray(part.start, part.end)]),
        body.epilogue,
      ]);
    default:
      return Buffer.alloc(0);
  }
}

const ages: [age: number, want: string][] = [
  [1, "max-age=1"],
  [31_536_000, "max-age=31536000"],
  [0, "max-age=0"],
];
for (const [age, value] of ages) {
  test(`hstsField: ${age} seconds`, () => {
    assert.deepEqual(hstsField(seconds(age)), { name: "Strict-Transport-Security", value });
  });
}
