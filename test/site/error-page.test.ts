import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_STATUSES } from "../../src/base/status.ts";
import { REASONS, type Reason } from "../../src/http/reason.ts";
import { renderErrorPage } from "../../src/site/error-page.ts";

const HTML = "text/html; charset=utf-8";
const PLAIN = "text/plain; charset=utf-8";
const PROBLEM = "application/problem+json";

const decode = (bytes: Uint8Array) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);

const forms: [name: string, accept: string | undefined, want: string][] = [
  ["no Accept", undefined, PLAIN],
  ["curl", "*/*", PLAIN],
  ["a browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML],
  ["an old browser", "text/html, application/xhtml+xml, */*", HTML],
  ["a browser that wants a picture", "image/avif,image/webp,*/*;q=0.8", PLAIN],
  ["JSON", "application/json", PROBLEM],
  ["problem+json", "application/problem+json", PROBLEM],
  ["a program's library", "application/json, text/plain, */*", PROBLEM],
  ["plain text", "text/plain", PLAIN],
  ["plain text rather than HTML", "text/html;q=0.5, text/plain", PLAIN],
  ["neither HTML nor JSON", "text/html;q=0, application/json;q=0, text/plain;q=0.1", PLAIN],
  ["malformed", "<script>", PLAIN],
];
for (const [name, accept, want] of forms) {
  test(`renderErrorPage: form for ${name}`, () => {
    const page = renderErrorPage(404, "not-found", accept);
    assert.equal(page.mediaType, want);
    assert.equal(page.vary, "Accept");
  });
}

test("renderErrorPage: plain text, to the byte", () => {
  const want = `404 Not Found\n\n${REASONS["not-found"].visitor}\n\nReason code: not-found\n`;
  assert.equal(decode(renderErrorPage(404, "not-found", undefined).bytes), want);
});

test("renderErrorPage: the members of RFC 9457, and the reason", () => {
  assert.deepEqual(JSON.parse(decode(renderErrorPage(403, "no-permission", "application/json").bytes)), {
    type: "about:blank",
    title: "Forbidden",
    status: 403,
    detail: REASONS["no-permission"].visitor,
    reason: "no-permission",
  });
});

test("renderErrorPage: HTML that needs nothing else and runs nothing", () => {
  const html = decode(renderErrorPage(404, "not-found", "text/html").bytes);
  assert.match(html, /^<!DOCTYPE html>/);
  assert.match(html, /<title>404 Not Found<\/title>/);
  assert.match(html, /<code>not-found<\/code>/);
  assert.match(html, /color-scheme: ?light dark/);
  assert.doesNotMatch(html, /<script|<link|<img|src=|url\(|https?:|@import| on\w+=/);
  assert.ok(html.length < 2500, `${html.length} bytes`);
});

test("renderErrorPage: a detail stands behind the sentence, and is no markup", () => {
  const detail = "line 3, column 5: expected <\"x\" & 'y'>";
  const render = (accept: string) => decode(renderErrorPage(400, "bad-json", accept, detail).bytes);
  assert.equal(
    render("*/*"),
    `400 Bad Request\n\n${REASONS["bad-json"].visitor}\n\n${detail}\n\nReason code: bad-json\n`,
  );
  assert.equal(JSON.parse(render("application/json")).detail, detail);
  const paragraph = "<p>line 3, column 5: expected &lt;&quot;x&quot; &amp; &#39;y&#39;&gt;</p>";
  assert.ok(render("text/html").includes(`<p>${REASONS["bad-json"].visitor}</p>\n${paragraph}\n`));
});

test("renderErrorPage: a page with a detail is nobody else's", () => {
  const plain = renderErrorPage(400, "bad-json", undefined);
  const detailed = renderErrorPage(400, "bad-json", undefined, "line 1");
  assert.notDeepEqual(detailed.bytes, plain.bytes);
  assert.notDeepEqual(renderErrorPage(400, "bad-json", undefined, "line 2").bytes, detailed.bytes);
  assert.equal(renderErrorPage(400, "bad-json", undefined), plain);
});

test("renderErrorPage: the same bytes each time, others for another status, reason or form", () => {
  const page = renderErrorPage(404, "not-found", "text/html");
  assert.equal(renderErrorPage(404, "not-found", "text/html;q=0.9"), page);
  for (const other of [
    renderErrorPage(403, "not-found", "text/html"),
    renderErrorPage(404, "dotfile", "text/html"),
    renderErrorPage(404, "not-found", undefined),
  ]) {
    assert.notDeepEqual(other.bytes, page.bytes);
  }
});

test("renderErrorPage: every status and reason has its code in every form", () => {
  for (const status of ERROR_STATUSES) {
    for (const reason of Object.keys(REASONS) as Reason[]) {
      for (const accept of ["text/html", "text/plain", "application/json"]) {
        const text = decode(renderErrorPage(status, reason, accept).bytes);
        assert.ok(text.includes(reason) && text.includes(String(status)), `${status} ${reason} ${accept}`);
      }
    }
  }
});

for (const [reason, { visitor }] of Object.entries(REASONS)) {
  test(`the sentence for ${reason} is one that can stand in HTML as it is`, () => {
    assert.match(visitor, /^[A-Z][^<>&"]+\.$/);
  });
}
