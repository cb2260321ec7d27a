import assert from "node:assert/strict";
import { test } from "node:test";
import { extensionOf, isJsonMediaType, mediaTypeOf } from "../../src/http/media-type.ts";
import { processorTimeOf } from "../support/processor-time.ts";

const overrides = new Map([
  ["log", "text/plain"],
  ["png", "application/x-mine"],
  ["latin", "text/html; charset=iso-8859-1"],
  ["feed", "application/atom+xml"],
]);

const types: [name: string, fileName: string, charset: string, want: string][] = [
  ["HTML", "index.html", "utf-8", "text/html; charset=utf-8"],
  ["JavaScript", "a.js", "utf-8", "text/javascript; charset=utf-8"],
  ["a JavaScript module", "a.mjs", "utf-8", "text/javascript; charset=utf-8"],
  ["JSON", "a.json", "utf-8", "application/json; charset=utf-8"],
  ["+json", "a.webmanifest", "utf-8", "application/manifest+json; charset=utf-8"],
  ["XML", "a.xsl", "utf-8", "application/xml; charset=utf-8"],
  ["+xml", "a.xhtml", "utf-8", "application/xhtml+xml; charset=utf-8"],
  ["SVG", "a.svg", "utf-8", "image/svg+xml; charset=utf-8"],
  ["an image has no charset", "a.jpg", "utf-8", "image/jpeg"],
  ["an archive has no charset", "a.tar.gz", "utf-8", "application/gzip"],
  ["another charset", "a.txt", "iso-8859-1", "text/plain; charset=iso-8859-1"],
  ["no charset wanted", "a.txt", "", "text/plain"],
  ["extension in upper case", "A.HTML", "utf-8", "text/html; charset=utf-8"],
  ["extension not known", "a.qqq", "utf-8", "application/octet-stream"],
  ["no extension", "README", "utf-8", "application/octet-stream"],
  ["a dotfile has no extension", ".html", "utf-8", "application/octet-stream"],
  ["names every object has", "a.constructor", "utf-8", "application/octet-stream"],
  ["a name every object has, with underscores", "a.__proto__", "utf-8", "application/octet-stream"],
  ["override of an unknown extension", "a.log", "utf-8", "text/plain; charset=utf-8"],
  ["override of a known extension", "a.PNG", "utf-8", "application/x-mine"],
  ["override with parameters is taken as it is", "a.latin", "utf-8", "text/html; charset=iso-8859-1"],
  ["override with +xml", "a.feed", "utf-8", "application/atom+xml; charset=utf-8"],
];
for (const [name, fileName, charset, want] of types) {
  test(`mediaTypeOf: ${name}`, () => assert.equal(mediaTypeOf(fileName, overrides, charset), want));
}

const extensions: [fileName: string, want: string][] = [
  ["a.txt", "txt"],
  ["A.TXT", "txt"],
  ["a.tar.gz", "gz"],
  [".htaccess", ""],
  [".config.json", "json"],
  ["README", ""],
  ["a.", ""],
  ["", ""],
  ["a.b c", "b c"],
];
for (const [fileName, want] of extensions) {
  test(`extensionOf: ${fileName} has ${want || "none"}`, () => assert.equal(extensionOf(fileName), want));
}

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
