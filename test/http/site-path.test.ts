import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatSegment,
  formatSitePath,
  isDotfilePath,
  parseSitePath,
  type SitePath,
} from "../../src/http/site-path.ts";

const file = (...segments: string[]): SitePath => ({ segments, directory: false });
const directory = (...segments: string[]): SitePath => ({ segments, directory: true });

const paths: [name: string, text: string, want: SitePath][] = [
  ["the root", "/", directory()],
  ["a file", "/a/b.txt", file("a", "b.txt")],
  ["a directory", "/a/b/", directory("a", "b")],
  ["empty segments collapse", "//a///b", file("a", "b")],
  ["empty segments at the end collapse", "/a//", directory("a")],
  ["nothing but slashes is the root", "///", directory()],
  [". segments collapse", "/./a/./b", file("a", "b")],
  [". written as %2E collapses", "/%2e/a/%2E", directory("a")],
  [". at the end means a directory", "/a/.", directory("a")],
  ["a blank", "/a%20b", file("a b")],
  ["a plus sign stays one", "/a+b", file("a+b")],
  ["an encoded question mark and number sign", "/a%3Fb%23c", file("a?b#c")],
  ["hex digits in both cases", "/%4a%4A", file("JJ")],
  ["UTF-8 of two, three and four bytes", "/%C3%A4/%E2%82%AC/%F0%9F%98%80", file("ä", "€", "😀")],
  ["decoded once", "/%252e%252e/%2525", file("%2e%2e", "%25")],
  ["three and four dots are names", "/.../....", file("...", "....")],
  ["two dots and a semicolon are a name", "/..;/a", file("..;", "a")],
  ["dots at the start or end of a name", "/..a/b..", file("..a", "b..")],
  ["full-width dots are a name", "/%EF%BC%8E%EF%BC%8E/a", file("．．", "a")],
  ["a line end in a name", "/a%0D%0Ab", file("a\r\nb")],
  ["a colon and an at sign", "/a:b@c", file("a:b@c")],
];
for (const [name, text, path] of paths) {
  test(`parseSitePath: ${name}`, () => assert.deepEqual(parseSitePath(text), { kind: "path", path }));
}

const refused: [name: string, text: string, reason: string][] = [
  ["a percent sign at the end", "/a%", "bad-path-encoding"],
  ["a percent sign and one digit", "/a%2", "bad-path-encoding"],
  ["a percent sign and no hex digits", "/%zz", "bad-path-encoding"],
  ["%u", "/%u0041", "bad-path-encoding"],
  ["a sign for a hex digit", "/%+1", "bad-path-encoding"],
  ["an overlong slash", "/%C0%AF", "bad-path-encoding"],
  ["an overlong dot", "/%C0%AE%C0%AE/", "bad-path-encoding"],
  ["an overlong NUL", "/%C0%80", "bad-path-encoding"],
  ["a surrogate", "/%ED%A0%80", "bad-path-encoding"],
  ["a cut character", "/%E2%82", "bad-path-encoding"],
  ["a cut character before a slash", "/%E2%82/a", "bad-path-encoding"],
  ["a continuation byte alone", "/%80", "bad-path-encoding"],
  ["a code point too high", "/%F4%90%80%80", "bad-path-encoding"],
  ["a byte that UTF-8 has not", "/%FF", "bad-path-encoding"],
  ["a letter that should have been encoded", "/\u00e4", "bad-path-encoding"],
  ["NUL", "/a%00.html", "bad-path-character"],
  ["NUL not encoded", "/a\0", "bad-path-character"],
  ["an encoded slash", "/a%2Fb", "bad-path-character"],
  ["an encoded slash in lower case", "/a%2fb", "bad-path-character"],
  ["an encoded backslash", "/a%5Cb", "bad-path-character"],
  ["an encoded backslash in lower case", "/a%5cb", "bad-path-character"],
  ["a backslash", "/a\\b", "bad-path-character"],
  ["two dots", "/../etc/passwd", "traversal"],
  ["two dots that would stay inside", "/a/../b", "traversal"],
  ["two dots at the end", "/a/..", "traversal"],
  ["two dots with a final slash", "/a/../", "traversal"],
  ["two encoded dots", "/%2e%2E/a", "traversal"],
  ["one dot of two encoded", "/.%2e/%2e./a", "traversal"],

  ["encoding goes before character", "/%00/%zz", "bad-path-encoding"],
  ["encoding goes before traversal", "/../%zz", "bad-path-encoding"],
  ["character goes before traversal", "/../%2F", "bad-path-character"],
  ["an encoded slash does not hide a traversal", "/..%2F", "bad-path-character"],
];
for (const [name, text, reason] of refused) {
  test(`parseSitePath refuses ${name}`, () => assert.deepEqual(parseSitePath(text), { kind: "refused", reason }));
}

const formatted: [name: string, path: SitePath, want: string][] = [
  ["the root", directory(), "/"],
  ["a file", file("a", "b.txt"), "/a/b.txt"],
  ["a directory", directory("a", "b"), "/a/b/"],
  ["a blank, ? and #", file("a b?c#d"), "/a%20b%3Fc%23d"],
  ["a percent sign", file("100%"), "/100%25"],
  ["what HTML could trip over", file(`<"'&;>`), "/%3C%22%27%26%3B%3E"],
  ["unreserved and safe characters stay", file("aZ09-._~!$()*+,=:@"), "/aZ09-._~!$()*+,=:@"],
  ["control characters", file("a\r\n\t\x7f"), "/a%0D%0A%09%7F"],
  ["UTF-8", file("ä😀"), "/%C3%A4%F0%9F%98%80"],
];
for (const [name, path, want] of formatted) {
  test(`formatSitePath: ${name}`, () => assert.equal(formatSitePath(path), want));
}

test("formatSegment encodes one name", () => assert.equal(formatSegment("a b/c"), "a%20b%2Fc"));

const dotfiles: [text: string, want: boolean][] = [
  ["/", false],
  ["/a.b/c", false],
  ["/.git", true],
  ["/%2Egit/config", true],
  ["/a/.hidden", true],
  ["/a/.hidden/", true],
  ["/...", true],
  ["/.well-known", false],
  ["/.well-known/security.txt", false],
  ["/.well-known/.hidden", true],
  ["/a/.well-known/b", true],
  ["/.well-known/.well-known", true],
  ["/.Well-Known/a", true],
  ["/.well-knownx", true],
];
for (const [text, want] of dotfiles) {
  test(`isDotfilePath: ${text} is ${want ? "" : "not "}hidden`, () => {
    const parsed = parseSitePath(text);
    assert.ok(parsed.kind === "path");
    assert.equal(isDotfilePath(parsed.path), want);
  });
}

const pieces = fc.constantFrom(
  "/",
  ".",
  "..",
  "%2e",
  "%2F",
  "%5c",
  "%00",
  "%",
  "%25",
  "a",
  "%C3%A4",
  "%C0%AF",
  "\\",
  "?",
  ";",
  "~",
);
const hostile = fc.array(pieces, { maxLength: 16 }).map((parts) => `/${parts.join("")}`);

test("parseSitePath never throws, and no path leaves the root", () => {
  fc.assert(
    fc.property(fc.oneof(hostile, fc.string({ unit: "binary" }), fc.webPath()), (text) => {
      const parsed = parseSitePath(text);
      if (parsed.kind === "refused") return;
      const { segments } = parsed.path;
      for (const segment of segments) assert.doesNotMatch(segment, /^\.{0,2}$|[/\\\0]/);
      const joined = posix.join("/srv/root", ...segments);
      assert.equal(joined, ["/srv/root", ...segments].join("/"));
    }),
  );
});

test("formatSitePath and parseSitePath undo each other", () => {
  const name = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !/^\.{1,2}$|[/\\\0]/.test(text));
  fc.assert(
    fc.property(fc.array(name), fc.boolean(), (segments, asksForDirectory) => {
      const path: SitePath = { segments, directory: asksForDirectory || segments.length === 0 };
      const text = formatSitePath(path);
      assert.match(text, /^\/(?!\/)[!-~]*$/);
      assert.deepEqual(parseSitePath(text), { kind: "path", path });
    }),
  );
});

test("formatSitePath gives one form to all spellings of a path", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const parsed = parseSitePath(text);
      if (parsed.kind === "refused") return;
      assert.deepEqual(parseSitePath(formatSitePath(parsed.path)), parsed);
    }),
  );
});
