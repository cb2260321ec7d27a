import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes } from "../../src/base/units.ts";
import { FieldBlocks } from "../../src/http/field-blocks.ts";
import type { Reason } from "../../src/http/reason.ts";
import { type HeadLimits, type ParseResult, RequestParser } from "../../src/http/request-parser.ts";

const LIMITS: HeadLimits = { maxTarget: bytes(100), maxHeader: bytes(300), maxFields: 5 };
const HOST = "Host: a\r\n";

/** What a parser said of a stream, in a form that can be compared. */
type Reading =
  | { kind: "need-more" }
  | { kind: "reject"; status: number; reason: Reason }
  | {
      kind: "head";
      method: string;
      path: string;
      query: string | undefined;
      host: string | undefined;
      fields: readonly string[];
      consumed: number;
    };

const NAMES = ["host", "x", "accept", "content-length", "xa"];
/** Shared by all parsers of these limits: what one of them has read another need not read, and must find the same. */
const BLOCKS = new FieldBlocks();

function summarise(result: ParseResult, consumedBefore: number): Reading {
  if (result.kind === "need-more") return { kind: "need-more" };
  if (result.kind === "reject") return { kind: "reject", ...result.refusal };
  const { method, path, query, host, fields } = result.head;
  const values = [`${fields.count} fields`, ...NAMES.map((name) => `${name}: ${fields.all(name).join("|")}`)];
  const consumed = consumedBefore + result.consumed;
  return { kind: "head", method, path, query, host: host?.name, fields: values, consumed };
}

/** Feeds pieces until the parser has decided. */
function read(pieces: readonly Buffer[], limits: HeadLimits = LIMITS): Reading {
  const parser = new RequestParser(limits, limits === LIMITS ? BLOCKS : undefined);
  let consumed = 0;
  for (const piece of pieces) {
    // The owner of a chunk may re-use it: what the parser needs it must have copied.
    const chunk = Buffer.from(piece);
    const result = parser.push(chunk);
    if (result.kind !== "need-more") return summarise(result, consumed);
    consumed += chunk.length;
    chunk.fill(0xff);
  }
  return { kind: "need-more" };
}

function bytewise(input: Buffer): Buffer[] {
  return Array.from(input, (_, at) => input.subarray(at, at + 1));
}

/** Whole, byte by byte, and cut at every point, with field lines that were read before and without: all must agree. */
function readEveryWay(text: string, limits?: HeadLimits): Reading {
  const input = Buffer.from(text, "latin1");
  const whole = read([input], limits);
  assert.deepEqual(read([input], limits && { ...limits }), whole, "without a memory");
  assert.deepEqual(read([input], limits), whole, "a second time");
  assert.deepEqual(read(bytewise(input), limits), whole, "byte by byte");
  for (let cut = 1; cut < input.length; cut += 1) {
    assert.deepEqual(read([input.subarray(0, cut), input.subarray(cut)], limits), whole, `cut at ${cut}`);
  }
  return whole;
}

const accepted: [name: string, text: string, want: Partial<Extract<Reading, { kind: "head" }>>][] = [
  ["a plain request", `GET / HTTP/1.1\r\n${HOST}\r\n`, { method: "GET", path: "/", query: undefined, host: "a" }],
  ["a query, also an empty one", `GET /x?a=1?b HTTP/1.1\r\n${HOST}\r\n`, { path: "/x", query: "a=1?b" }],
  ["one empty line in front", `\r\nGET / HTTP/1.1\r\n${HOST}\r\n`, { path: "/" }],
  ["four empty lines in front", `\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n${HOST}\r\n`, { path: "/" }],
  ["HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", { host: undefined }],
  ["a higher minor version", `GET / HTTP/1.9\r\n${HOST}\r\n`, { path: "/" }],
  ["absolute-form: its authority wins", `GET http://b:80/x HTTP/1.1\r\n${HOST}\r\n`, { path: "/x", host: "b" }],
  ["OPTIONS *", `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, { path: "*" }],
  ["no blank after the colon", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", { host: "a" }],
  ["blanks and tabs around a value", "GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n", { host: "a" }],
  ["an empty value", `GET / HTTP/1.1\r\n${HOST}X:\r\n\r\n`, { path: "/" }],
  ["high bytes and a tab in a value", `GET / HTTP/1.1\r\n${HOST}X: \xff\t\x80\r\n\r\n`, { path: "/" }],
  ["names that mean something to an object", `GET / HTTP/1.1\r\n${HOST}__proto__: 1\r\n\r\n`, { path: "/" }],
  ["a request line of exactly the limit", `GET /${"x".repeat(86)} HTTP/1.1\r\n${HOST}\r\n`, { method: "GET" }],
  ["a header of exactly the limit", `GET / HTTP/1.1\r\n${HOST}X: ${"y".repeat(284)}\r\n\r\n`, { method: "GET" }],
  ["as many fields as allowed", `GET / HTTP/1.1\r\n${HOST}${"X: 1\r\n".repeat(4)}\r\n`, { method: "GET" }],
];
for (const [name, text, want] of accepted) {
  test(`RequestParser accepts ${name}`, () => {
    const got = readEveryWay(text);
    assert.equal(got.kind, "head");
    assert.deepEqual({ ...got, ...want, consumed: text.length }, got);
  });
}

const refused: [name: string, text: string, status: number, reason: Reason][] = [
  ["five empty lines", `${"\r\n".repeat(5)}GET / HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["a bare LF in front", `\nGET / HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["a CR of its own in front", `\rGET / HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["a blank in front", ` GET / HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["two blanks after the method", `GET  / HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["a tab after the method", `GET\t/ HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["two blanks before the version", `GET /  HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["a tab before the version", `GET /\tHTTP/1.1\r\n${HOST}\r\n`, 400, "bad-target"],
  ["a blank at the end of the line", `GET / HTTP/1.1 \r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["a blank inside the target", `GET /a b HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["no version at all", "GET /\r\n", 400, "bad-request-line"],
  ["only a method", "GET\r\n", 400, "bad-request-line"],
  ["a method that is no token", `GE(T / HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["NUL in the method", `GE\0T / HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-request-line"],
  ["NUL in the target", `GET /\0 HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-target"],
  ["DEL in the target", `GET /\x7f HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-target"],
  ["a raw high byte in the target", `GET /\xe4 HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-target"],
  ["a fragment in the target", `GET /#x HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-target"],
  ["a target without slash", `GET x HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-target"],
  ["* with GET", `GET * HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-target"],
  ["HTTP/1.10", `GET / HTTP/1.10\r\n${HOST}\r\n`, 400, "bad-version"],
  ["http/1.1", `GET / http/1.1\r\n${HOST}\r\n`, 400, "bad-version"],
  ["HTTP/1.1x", `GET / HTTP/1.1x\r\n${HOST}\r\n`, 400, "bad-version"],
  ["HTTP/2.0", `GET / HTTP/2.0\r\n${HOST}\r\n`, 505, "version-unsupported"],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version-unsupported"],
  ["a bare LF after the request line", `GET / HTTP/1.1\n${HOST}\r\n`, 400, "bad-line-end"],
  ["CR CR LF after the request line", `GET / HTTP/1.1\r\r\n${HOST}\r\n`, 400, "bad-line-end"],
  ["an unknown method", `BREW / HTTP/1.1\r\n${HOST}\r\n`, 501, "unknown-method"],
  ["a method in lower case", `get / HTTP/1.1\r\n${HOST}\r\n`, 501, "unknown-method"],
  ["a method an object would know", `__proto__ / HTTP/1.1\r\n${HOST}\r\n`, 501, "unknown-method"],
  ["CONNECT", `CONNECT a:1 HTTP/1.1\r\n${HOST}\r\n`, 405, "method-not-allowed"],
  ["a blank before the colon", `GET / HTTP/1.1\r\n${HOST}X : 1\r\n\r\n`, 400, "bad-field"],
  ["a blank before the first field", `GET / HTTP/1.1\r\n ${HOST}\r\n`, 400, "bad-field"],
  ["a continuation line", `GET / HTTP/1.1\r\n${HOST} more\r\n\r\n`, 400, "obs-fold"],
  ["a continuation by tab", `GET / HTTP/1.1\r\n${HOST}\tmore\r\n\r\n`, 400, "obs-fold"],
  ["a bare LF after a field", `GET / HTTP/1.1\r\nHost: a\n\r\n`, 400, "bad-line-end"],
  ["a bare LF as the last line", `GET / HTTP/1.1\r\n${HOST}\n`, 400, "bad-line-end"],
  ["a bare CR in a value", `GET / HTTP/1.1\r\n${HOST}X: a\rb\r\n\r\n`, 400, "bad-line-end"],
  ["CR CR LF after a value", `GET / HTTP/1.1\r\n${HOST}X: a\r\r\n\r\n`, 400, "bad-line-end"],
  ["NUL in a value", `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`, 400, "bad-field"],
  ["an escape character in a value", `GET / HTTP/1.1\r\n${HOST}X: \x1b\r\n\r\n`, 400, "bad-field"],
  ["DEL in a value", `GET / HTTP/1.1\r\n${HOST}X: \x7f\r\n\r\n`, 400, "bad-field"],
  ["no colon", `GET / HTTP/1.1\r\n${HOST}X\r\n\r\n`, 400, "bad-field"],
  ["an empty name", `GET / HTTP/1.1\r\n${HOST}: 1\r\n\r\n`, 400, "bad-field"],
  ["a name that is no token", `GET / HTTP/1.1\r\n${HOST}X[]: 1\r\n\r\n`, 400, "bad-field"],
  ["a high byte in a name", `GET / HTTP/1.1\r\n${HOST}X\xe4: 1\r\n\r\n`, 400, "bad-field"],
  ["no Host on 1.1", "GET / HTTP/1.1\r\n\r\n", 400, "bad-host"],
  ["Host twice, even the same", `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`, 400, "bad-host"],
  ["Host twice on 1.0", `GET / HTTP/1.0\r\n${HOST}${HOST}\r\n`, 400, "bad-host"],
  ["an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "bad-host"],
  ["a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad-host"],
  ["absolute-form without Host on 1.1", "GET http://a/ HTTP/1.1\r\n\r\n", 400, "bad-host"],
  ["absolute-form with userinfo", `GET http://u@a/ HTTP/1.1\r\n${HOST}\r\n`, 400, "bad-target"],
  ["a request line one over the limit", `GET /${"x".repeat(87)} HTTP/1.1\r\n${HOST}\r\n`, 414, "target-too-long"],
  ["a request line that never ends", `GET /${"x".repeat(200)}`, 414, "target-too-long"],
  ["a method that never ends", "G".repeat(200), 414, "target-too-long"],
  ["a header one over the limit", `GET / HTTP/1.1\r\n${HOST}X: ${"y".repeat(285)}\r\n\r\n`, 431, "header-too-large"],
  ["a field that never ends", `GET / HTTP/1.1\r\n${HOST}X: ${"y".repeat(400)}`, 431, "header-too-large"],
  ["a field name that never ends", `GET / HTTP/1.1\r\n${HOST}${"y".repeat(400)}`, 431, "header-too-large"],
  ["one field too many", `GET / HTTP/1.1\r\n${HOST}${"X: 1\r\n".repeat(5)}\r\n`, 431, "header-too-large"],
];
for (const [name, text, status, reason] of refused) {
  test(`RequestParser refuses ${name}`, () => {
    assert.deepEqual(readEveryWay(text), { kind: "reject", status, reason });
  });
}

test("RequestParser gives every field line", () => {
  const text = `GET / HTTP/1.1\r\n${HOST}Accept: a\r\nX: 1\r\naccept:b, c\r\n\r\n`;
  const result = new RequestParser(LIMITS).push(Buffer.from(text, "latin1"));
  assert.equal(result.kind, "head");
  if (result.kind !== "head") return;
  const { fields } = result.head;
  assert.equal(fields.count, 4);
  assert.equal(fields.get("accept"), "a, b, c");
  assert.deepEqual(fields.all("accept"), ["a", "b, c"]);
  assert.equal(fields.get("x"), "1");
  assert.equal(fields.get("y"), undefined);
  assert.equal(fields.has("host"), true);
  assert.equal(result.head.requestLine, "GET / HTTP/1.1");
});

test("RequestParser does not take the Host of one request for that of the next", () => {
  const parser = new RequestParser(LIMITS);
  const hosts = ["a", "b", "b", "a"].map((host) => {
    const result = parser.push(Buffer.from(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`));
    return result.kind === "head" ? result.head.host?.name : result.kind;
  });
  assert.deepEqual(hosts, ["a", "b", "b", "a"]);
});

test("RequestParser keeps the request line of a refusal for the log, bounded and without its end", () => {
  const parser = new RequestParser({ ...LIMITS, maxTarget: bytes(8192) });
  const result = parser.push(Buffer.from(`GET /x HTTP/1.1\r\nbad\r\n\r\n`));
  assert.equal(result.kind === "reject" && result.requestLine, "GET /x HTTP/1.1");
  const long = new RequestParser(LIMITS).push(Buffer.alloc(10_000, "G"));
  assert.equal(long.kind === "reject" && long.requestLine.length, 1024);
});

/** Streams that look like requests and are often wrong. */
const requestLike = fc
  .array(
    fc.oneof(
      fc.constantFrom("GET", " ", "/", "HTTP/1.1", "\r\n", "\r", "\n", "Host: a", ":", "X: y", "\r\n\r\n", "\t", "\0"),
      fc.string({ maxLength: 12 }),
    ),
    { maxLength: 20 },
  )
  .map((parts) => Buffer.from(parts.join(""), "latin1"));
const anyBytes = fc.uint8Array({ maxLength: 400 }).map((octets) => Buffer.from(octets));

test("RequestParser never throws, and cuts change nothing", () => {
  fc.assert(
    fc.property(fc.oneof(requestLike, anyBytes), fc.array(fc.nat(400), { maxLength: 5 }), (input, cuts) => {
      const places = [...new Set(cuts.map((cut) => Math.min(cut, input.length)))].sort((a, b) => a - b);
      const ends = [...places, input.length];
      const pieces = ends.map((end, index) => input.subarray(ends[index - 1] ?? 0, end));
      assert.deepEqual(read(pieces.filter((piece) => piece.length > 0)), read(input.length === 0 ? [] : [input]));
    }),
    { numRuns: 2000 },
  );
});

const validRequest = fc
  .record({
    path: fc.webPath().map((path) => `/${encodeURI(path).replaceAll("#", "")}`.slice(0, 60)),
    fields: fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { maxLength: 4 }),
  })
  .map(({ path, fields }) => `GET ${path} HTTP/1.1\r\n${HOST}${fields.map((name) => `x${name}: 1\r\n`).join("")}\r\n`);

test("RequestParser: what is consumed and what is left make the input", () => {
  fc.assert(
    fc.property(
      fc.array(validRequest, { minLength: 1, maxLength: 4 }),
      fc.uint8Array({ maxLength: 20 }),
      (all, tail) => {
        const parser = new RequestParser({ ...LIMITS, maxTarget: bytes(1000) });
        let rest = Buffer.concat([Buffer.from(all.join(""), "latin1"), tail]);
        for (const text of all) {
          const result = parser.push(rest);
          assert.equal(result.kind, "head");
          if (result.kind !== "head") return;
          assert.equal(result.consumed, text.length);
          rest = rest.subarray(result.consumed);
        }
        assert.deepEqual(rest, Buffer.from(tail));
      },
    ),
  );
});
