import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes, milliseconds, unixMilliseconds } from "../../src/base/units.ts";
import type { ExchangeRecord } from "../../src/http/exchange.ts";
import type { RequestFields, RequestHead } from "../../src/http/request-head.ts";
import { chooseLineFormat, LOG_FORMATS, type LogFormat } from "../../src/observe/log-format.ts";

const SEVEN_HOURS_WEST = (): number => -420;

function fieldsOf(fields: Readonly<Record<string, string>>): RequestFields {
  const map = new Map(Object.entries(fields));
  return {
    count: map.size,
    has: (name) => map.has(name),
    get: (name) => map.get(name),
    all: (name) => [map.get(name) ?? []].flat(),
  };
}

function headOf(requestLine: string, fields: Readonly<Record<string, string>> = {}): RequestHead {
  const { host } = fields;
  return {
    method: "GET",
    requestLine,
    path: "/",
    query: undefined,
    host: host === undefined ? undefined : { name: host, port: undefined },
    version: "1.1",
    fields: fieldsOf(fields),
  };
}

const LINE = "GET /apache_pb.gif HTTP/1.0";
const plain: ExchangeRecord = {
  peer: { address: "127.0.0.1", port: 50000 },
  requestLine: LINE,
  head: headOf(LINE, { host: "www.example", referer: "http://www.example/start.html", "user-agent": "Mozilla/4.08" }),
  status: 200,
  reason: undefined,
  bodyBytes: bytes(2326),
  outcome: "sent",
  user: undefined,
  receivedAt: unixMilliseconds(Date.parse("2000-10-10T20:55:36.789Z")),
  duration: milliseconds(1.23456),
};
const nothingArrived: ExchangeRecord = {
  ...plain,
  requestLine: "",
  head: undefined,
  status: 408,
  reason: "header-timeout",
  bodyBytes: bytes(0),
};
const hostile: ExchangeRecord = {
  ...plain,
  requestLine: 'GET /"\x1b]0;x\x07 HTTP/1.1',
  head: undefined,
  status: 400,
  reason: "bad-target",
  outcome: "cut",
};
const forged: ExchangeRecord = {
  ...plain,
  head: headOf(LINE, { "user-agent": '" 200 5\r\n10.0.0.1 - - "é' }),
};

const COMMON = '127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326';
const lines: [name: string, format: LogFormat, record: ExchangeRecord, want: string][] = [
  ["the example of Apache's manual", "common", plain, COMMON],
  [
    "no body bytes are a dash",
    "common",
    { ...plain, status: 304, bodyBytes: bytes(0) },
    COMMON.replace("200 2326", "304 -"),
  ],
  ["no request line is a dash", "common", nothingArrived, '127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "-" 408 -'],
  [
    "quotes and control bytes of a request are escaped",
    "common",
    hostile,
    '127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /\\"\\x1b]0;x\\x07 HTTP/1.1" 400 2326',
  ],
  ["a client on IPv6", "common", { ...plain, peer: { address: "::1", port: 1 } }, COMMON.replace("127.0.0.1", "::1")],
  [
    "a client on a Unix socket",
    "common",
    { ...plain, peer: { address: "unix", port: 0 } },
    COMMON.replace("127.0.0.1", "unix"),
  ],
  ["a user", "common", { ...plain, user: "ann" }, COMMON.replace("- -", "- ann")],
  [
    "a user's name cannot forge a line",
    "common",
    { ...plain, user: 'a b" 1\n' },
    COMMON.replace("- -", '- a\\x20b\\"\\x201\\n'),
  ],
  ["referer and user agent follow", "combined", plain, `${COMMON} "http://www.example/start.html" "Mozilla/4.08"`],
  ["absent fields are dashes", "combined", { ...plain, head: headOf(LINE) }, `${COMMON} "-" "-"`],
  ["an empty field is empty", "combined", { ...plain, head: headOf(LINE, { referer: "" }) }, `${COMMON} "" "-"`],
  ["a user agent cannot forge a line", "combined", forged, `${COMMON} "-" "\\" 200 5\\r\\n10.0.0.1 - - \\"\\xe9"`],
  [
    "host and port come first",
    "vhost",
    plain,
    `www.example:80 ${COMMON} "http://www.example/start.html" "Mozilla/4.08"`,
  ],
  [
    "the port that the client asked for",
    "vhost",
    { ...plain, head: { ...headOf(LINE), host: { name: "[::1]", port: 8080 } } },
    `[::1]:8080 ${COMMON} "-" "-"`,
  ],
  [
    "the port of HTTPS",
    "vhost",
    { ...plain, peer: { ...plain.peer, tls: {} }, head: headOf(LINE, { host: "www.example" }) },
    `www.example:443 ${COMMON} "-" "-"`,
  ],
  ["no host is a dash", "vhost", { ...plain, head: headOf(LINE) }, `-:80 ${COMMON} "-" "-"`],
  [
    "everything that is known",
    "json",
    plain,
    '{"time":"2000-10-10T20:55:36.789Z","client":"127.0.0.1","method":"GET","target":"/apache_pb.gif",' +
      '"protocol":"HTTP/1.0","host":"www.example","status":200,"bytes":2326,"duration_ms":1.235,' +
      '"referer":"http://www.example/start.html","user_agent":"Mozilla/4.08","reason":null,"complete":true}',
  ],
  [
    "a user",
    "json",
    { ...plain, user: 'a"b' },
    '{"time":"2000-10-10T20:55:36.789Z","client":"127.0.0.1","user":"a\\"b","method":"GET","target":"/apache_pb.gif",' +
      '"protocol":"HTTP/1.0","host":"www.example","status":200,"bytes":2326,"duration_ms":1.235,' +
      '"referer":"http://www.example/start.html","user_agent":"Mozilla/4.08","reason":null,"complete":true}',
  ],
  [
    "what was not understood is kept apart",
    "json",
    hostile,
    '{"time":"2000-10-10T20:55:36.789Z","client":"127.0.0.1","method":null,"target":null,"protocol":null,' +
      '"malformed":"GET /\\"\\u001b]0;x\\u0007 HTTP/1.1","host":null,"status":400,"bytes":2326,"duration_ms":1.235,' +
      '"referer":null,"user_agent":null,"reason":"bad-target","complete":false}',
  ],
];
for (const [name, format, record, want] of lines) {
  test(`chooseLineFormat: ${format}: ${name}`, () =>
    assert.equal(chooseLineFormat(format, SEVEN_HOURS_WEST)(record), want));
}

test("chooseLineFormat: the time follows the record from second to second", () => {
  const format = chooseLineFormat("common", () => 0);
  const later = { ...plain, receivedAt: unixMilliseconds(plain.receivedAt + 1000) };
  const times = [plain, later, plain].map((record) => format(record).slice(27, 35));
  assert.deepEqual(times, ["20:55:36", "20:55:37", "20:55:36"]);
});

test("chooseLineFormat: whatever a client sends, one line of printable ASCII comes out", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(fc.constantFrom(...LOG_FORMATS), text, text, text, text, (name, line, host, referer, agent) => {
      const head = headOf(line, { host, referer, "user-agent": agent });
      assert.match(chooseLineFormat(name)({ ...plain, requestLine: line, head }), /^[\x20-\x7e]+$/);
    }),
  );
});

test("chooseLineFormat: json: whatever a client sends, the object means what was sent", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(text, text, text, (line, host, agent) => {
      const head = headOf("GET / HTTP/1.1", { host, "user-agent": agent });
      const known = JSON.parse(chooseLineFormat("json")({ ...plain, head }));
      assert.deepEqual([known.host, known.user_agent, known.malformed], [host, agent, undefined]);
      const unknown = JSON.parse(chooseLineFormat("json")({ ...plain, requestLine: line, head: undefined }));
      assert.equal(unknown.malformed, line === "" ? undefined : line);
    }),
  );
});
