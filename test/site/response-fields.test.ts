import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds, unixSeconds } from "../../src/base/units.ts";
import type { ResponsePlan } from "../../src/http/response-plan.ts";
import { planRefusal, planResponse } from "../../src/site/plan-response.ts";
import { withErrorPage, withServerField } from "../../src/site/response-fields.ts";
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
