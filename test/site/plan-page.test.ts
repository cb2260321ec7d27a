import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, seconds, unixSeconds } from "../../src/base/units.ts";
import type { ResponsePlan } from "../../src/http/response-plan.ts";
import { planCreated, withErrorPage } from "../../src/site/plan-page.ts";
import { planRefusal, planResponse, withServerField } from "../../src/site/plan-response.ts";
import type { Receipt } from "../../src/site/resource.ts";
import { LISTING_CSP } from "../../src/tasks/listing-assets.ts";
import { fakeRequestHead } from "../support/request-head.ts";

const context = { now: unixSeconds(0), boundaryNonce: "n", chunked: false };
const PAGE = { mediaType: "text/html; charset=utf-8", bytes: Buffer.from("<p>ours") };

function lines(plan: ResponsePlan): readonly string[] {
  return plan.fields.map(({ name, value }) => `${name}: ${value}`);
}

const notFound = planRefusal({ status: 404, reason: "not-found" }, undefined);

const servers: [name: string, server: string, want: string[]][] = [
  ["its name comes first", "Comanche", ["Server: Comanche", ...lines(notFound)]],
  ["an empty name is left out", "", [...lines(notFound)]],
];
for (const [name, server, want] of servers) {
  test(`withServerField: ${name}`, () => assert.deepEqual(lines(withServerField(notFound, server)), want));
}

test("withServerField: the plan it is given stays as it is", () => {
  const before = lines(notFound);
  withServerField(notFound, "x");
  assert.deepEqual(lines(notFound), before);
});

const SITE_PAGE = ["Content-Type: text/html; charset=utf-8", "Content-Length: 7"];
const NOSNIFF = "X-Content-Type-Options: nosniff";

test("withErrorPage: what described the built-in page is gone", () => {
  const made = withErrorPage(notFound, PAGE);
  assert.deepEqual(lines(made), [...SITE_PAGE, NOSNIFF]);
  assert.deepEqual(made.body, { kind: "bytes", bytes: PAGE.bytes });
  assert.equal(made.reason, "not-found");
});

test("withErrorPage: what the status calls for stays", () => {
  const head = fakeRequestHead();
  const busy = planResponse(head, { kind: "busy", reason: "out-of-descriptors", retryAfter: seconds(1) }, context);
  assert.deepEqual(lines(withErrorPage(busy, PAGE)), [...SITE_PAGE, "Retry-After: 1", NOSNIFF]);
});

test("withErrorPage: a page with fields of its own has them", () => {
  const made = withErrorPage(notFound, { ...PAGE, vary: "Accept-Language", securityPolicy: LISTING_CSP });
  const own = ["Vary: Accept-Language", `Content-Security-Policy: ${LISTING_CSP}`];
  assert.deepEqual(lines(made), [...SITE_PAGE, ...own, NOSNIFF]);
});

test("withErrorPage: HEAD keeps to having no body", () => {
  const made = withErrorPage(
    planRefusal({ status: 404, reason: "not-found" }, fakeRequestHead({ method: "HEAD" })),
    PAGE,
  );
  assert.deepEqual(lines(made), [...SITE_PAGE, NOSNIFF]);
  assert.deepEqual(made.body, { kind: "none" });
});

const name = "upload_20240315_123456_a7b9.json";
const receipt: Receipt = { location: `/my%20uploads/${name}`, name, size: bytes(17), sha256: "0a".repeat(32) };

function parts(stored: Receipt) {
  const { status, fields, body } = planCreated(stored);
  assert.ok(body.kind === "bytes");
  return {
    status,
    lines: fields.map((field) => `${field.name}: ${field.value}`),
    text: new TextDecoder().decode(body.bytes),
  };
}

test("planCreated: every field and every byte", () => {
  const text = `{"status":"success","message":"File created successfully","filepath":"/my%20uploads/${name}","size":17,"sha256":"${receipt.sha256}"}\n`;
  assert.deepEqual(parts(receipt), {
    status: 201,
    lines: [
      "Content-Type: application/json",
      `Content-Length: ${text.length}`,
      `Location: /my%20uploads/${name}`,
      "Cache-Control: no-store",
    ],
    text,
  });
});

test("planCreated: outside the document root there is a name and no location", () => {
  const { lines, text } = parts({ ...receipt, location: undefined });
  assert.equal(JSON.parse(text).filepath, name);
  assert.ok(!lines.some((line) => line.startsWith("Location")));
});
