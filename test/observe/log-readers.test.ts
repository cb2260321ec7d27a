/**
 * Programs that read access logs: each line of each format must mean something to them.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { bytes, milliseconds, unixMilliseconds } from "../../src/base/units.ts";
import type { ExchangeRecord } from "../../src/http/exchange.ts";
import type { RequestHead } from "../../src/http/request-head.ts";
import { chooseLineFormat, type LogFormat } from "../../src/observe/log-format.ts";
import { makeTree } from "../support/file-tree.ts";

const goaccessIsMissing = spawnSync("goaccess", ["--version"]).error !== undefined && "goaccess is not installed";

function headOf(requestLine: string, host: RequestHead["host"], fields: Readonly<Record<string, string>>): RequestHead {
  const map = new Map(Object.entries(fields));
  return {
    method: "GET",
    requestLine,
    path: "/",
    query: undefined,
    host,
    version: "1.1",
    fields: { count: map.size, has: (name) => map.has(name), get: (name) => map.get(name), all: () => [] },
  };
}

const site = { name: "www.example", port: undefined };

function record(requestLine: string, changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    peer: { address: "192.0.2.1", port: 50000 },
    requestLine,
    head: headOf(requestLine, site, { "user-agent": "Mozilla/5.0" }),
    status: 200,
    reason: undefined,
    bodyBytes: bytes(2326),
    outcome: "sent",
    user: undefined,
    receivedAt: unixMilliseconds(Date.parse("2024-03-15T10:30:00Z")),
    duration: milliseconds(1),
    ...changes,
  };
}

const GET = "GET / HTTP/1.1";
const records: readonly ExchangeRecord[] = [
  record(GET),
  record("HEAD / HTTP/1.0", { head: headOf("HEAD / HTTP/1.0", undefined, {}), bodyBytes: bytes(0) }),
  record(GET, { peer: { address: "2001:db8::1", port: 1 }, head: headOf(GET, { name: "[::1]", port: 8080 }, {}) }),
  record(GET, { peer: { address: "fe80::1", port: 1, tls: { subject: "CN=client one,O=Example" } } }),
  record(GET, { head: headOf(GET, site, { referer: 'http://a.example/"', "user-agent": 'a "b" \\' }) }),
  record(GET, { head: headOf(GET, site, { referer: "", "user-agent": "" }), user: "a user" }),
  record("GET /na%C3%AFve?a=b%20c HTTP/1.1", { status: 404 }),
  record("GET http://www.example/ HTTP/1.1"),
  record("BREW /pot HTTP/1.1", { status: 501 }),
  record("", { head: undefined, status: 408, bodyBytes: bytes(0) }),
  record('\x16\x03\x01 "', { head: undefined, status: 400 }),
  record("GET", { head: undefined, status: 400 }),
  record("GET / HTTP/2.0", { head: undefined, status: 505 }),
];

/** What goaccess calls our formats. */
const formats: [format: LogFormat, name: string][] = [
  ["common", "COMMON"],
  ["combined", "COMBINED"],
  ["vhost", "VCOMBINED"],
];
for (const [format, name] of formats) {
  test(`goaccess reads every line of the format ${format}`, { skip: goaccessIsMissing }, (t) => {
    const top = makeTree(t);
    writeFileSync(`${top}/log`, records.map((one) => `${chooseLineFormat(format, () => 0)(one)}\n`).join(""));
    const args = [
      "log",
      "--no-global-config",
      `--log-format=${name}`,
      "-o",
      "report.json",
      "--invalid-requests=refused",
    ];
    const run = spawnSync("goaccess", args, { cwd: top, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    assert.equal(run.status, 0, run.stderr);
    assert.equal(existsSync(`${top}/refused`) ? readFileSync(`${top}/refused`, "latin1") : "", "");
    assert.match(readFileSync(`${top}/report.json`, "latin1"), new RegExp(`"valid_requests": ${records.length},`));
  });
}
