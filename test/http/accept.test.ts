import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { preferredForm } from "../../src/http/accept.ts";

const HTML = "text/html";
const JSON_ = "application/json";
const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

const cases: [name: string, accept: string | undefined, want: string][] = [
  ["absent", undefined, HTML],
  ["empty", "", HTML],
  ["anything", "*/*", HTML],
  ["by name", "application/json", JSON_],
  ["upper case", "Application/JSON", JSON_],
  ["by type", "application/*", JSON_],
  ["a browser", BROWSER, HTML],
  ["the higher quality wins", "text/html;q=0.5, application/json;q=0.6", JSON_],
  ["thousandths count", "text/html;q=0.998, application/json;q=0.999", JSON_],
  ["a tie goes to the server's order", "application/json, text/html", HTML],
  ["a name beats a wildcard of the same quality", "application/json, */*", JSON_],
  ["a name beats its type of the same quality", "text/*, application/json", JSON_],
  ["the most exact range decides", "text/html;q=0.1, text/*;q=1, application/json;q=0.5", JSON_],
  ["whatever the order of ranges", "*/*, application/*;q=0.2, application/json;q=0.9, text/html;q=0.8", JSON_],
  ["a wildcard of higher quality beats a name", "application/json;q=0.5, */*", HTML],
  ["not that one", "text/html;q=0, */*;q=0.1", JSON_],
  ["none of them", "image/png", HTML],
  ["none of them, said by q=0", "text/html;q=0, application/json;q=0.000", HTML],
  ["parameters are not compared", "application/json;charset=utf-8", JSON_],
  ["parameters in quotes", 'application/json;profile="x y";q=1.0', JSON_],
  ["blanks around semicolon and comma", "text/html ; q=0.3 ,\tapplication/json ;q=0.4", JSON_],
  ["Q in upper case", "text/html;Q=0.1, application/json;q=0.2", JSON_],
  ["empty members", ",, application/json ,", JSON_],
  ["an empty parameter", "application/json;", JSON_],

  ["malformed: no subtype", "application/json, text", HTML],
  ["malformed: two slashes", "application/json, a/b/c", HTML],
  ["malformed: any type of one subtype", "application/json, */json", HTML],
  ["malformed: quality above one", "application/json;q=1.1", HTML],
  ["malformed: four decimals", "application/json;q=0.1234", HTML],
  ["malformed: no number", "application/json;q=high", HTML],
  ["malformed: negative", "application/json;q=-1", HTML],
  ["malformed: a parameter without value", "application/json;x", HTML],
  ["malformed: a quote that does not end", 'application/json;x="y', HTML],
  ["malformed: a blank inside", "application/ json", HTML],
];
for (const [name, accept, want] of cases) {
  test(`preferredForm: ${name}`, () => assert.equal(preferredForm(accept, [HTML, JSON_]), want));
}

test("preferredForm: always one of those offered, and never throws", () => {
  const texts = fc.string({ unit: fc.constantFrom("text/html", "*", "/", ",", ";", "q=", "0.5", '"', " ", "a", "=") });
  fc.assert(
    fc.property(fc.oneof(texts, fc.string()), (accept) => {
      assert.ok(["text/plain", HTML, JSON_].includes(preferredForm(accept, ["text/plain", HTML, JSON_])));
    }),
  );
});
