import assert from "node:assert/strict";
import { test } from "node:test";
import { isJsonMediaType } from "../../src/http/json-media-type.ts";
import { processorTimeOf } from "../support/processor-time.ts";

const JSON_TYPES: [name: string, value: string][] = [
  ["the type itself", "application/json"],
  ["in any case", "Application/JSON"],
  ["a suffix", "application/problem+json"],
  ["a suffix of another type", "model/gltf+json"],
  ["several suffixes", "application/a+b+json"],
  ["charset", "application/json; charset=utf-8"],
  ["charset in any case, without a blank", "application/json;CharSet=UTF-8"],
  ["charset in quotes", 'application/json; charset="utf-8"'],
  ["another parameter", "application/ld+json; profile=compact"],
  ["another parameter in quotes", 'application/ld+json; profile="http://a.test/;x=\\"1\\",2"'],
  ["several parameters and blanks", "application/json \t;\t a=b ; charset=utf-8"],
  ["empty parameters", "application/json;; charset=utf-8;"],
];
for (const [name, value] of JSON_TYPES) {
  test(`isJsonMediaType: ${name}`, () => assert.equal(isJsonMediaType(value), true));
}

const OTHERS: [name: string, value: string][] = [
  ["nothing", ""],
  ["text", "text/plain"],
  ["a form", "application/x-www-form-urlencoded"],
  ["JSON as text", "text/json"],
  ["lines of JSON", "application/jsonl"],
  ["more behind the name", "application/json5"],
  ["more before the name", "xapplication/json"],
  ["a sequence", "application/json-seq"],
  ["a suffix that is not the last", "application/a+json+xml"],
  ["another charset", "application/json; charset=utf-16"],
  ["Latin-1", "application/json; charset=iso-8859-1"],
  ["two charsets", "application/json; charset=utf-8; charset=utf-16"],
  ["a charset without a value", "application/json; charset="],
  ["a parameter without a value", "application/json; charset"],
  ["a blank around the equals sign", "application/json; charset =utf-8"],
  ["an open quote", 'application/json; a="b'],
  ["text behind a quote", 'application/json; a="b"c'],
  ["two fields", "application/json, application/json"],
  ["a blank within", "application/ json"],
  ["no subtype", "application"],
  ["no type", "/json"],
  ["a line behind", "application/json\n"],
];
for (const [name, value] of OTHERS) {
  test(`isJsonMediaType: not ${name}`, () => assert.equal(isJsonMediaType(value), false));
}

test("isJsonMediaType: a long value takes no longer than its length", () => {
  for (const part of [" ", ";", "; ", '; a="', "; a=b", "a"]) {
    const took = processorTimeOf(() => void isJsonMediaType(`application/json;${part.repeat(20_000)}\x01`));
    assert.ok(took < 500, JSON.stringify(part));
  }
});
