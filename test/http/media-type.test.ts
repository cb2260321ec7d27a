import assert from "node:assert/strict";
import { test } from "node:test";
import { extensionOf, mediaTypeOf } from "../../src/http/media-type.ts";

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
