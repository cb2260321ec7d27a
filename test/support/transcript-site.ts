/**
 * The files that the transcripts ask for. Everything below `htdocs` is the document root; what stands beside it must
 * never be served.
 */
import type { Entry } from "./server-process.ts";

/** The first second of 2024 and a half: Last-Modified must say the whole second. */
export const SITE_MODIFIED = Date.UTC(2024, 0, 1) / 1000 + 0.5;

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const DOCUMENTS: Readonly<Record<string, Entry>> = {
  "index.html": "<!DOCTYPE html><title>Home</title>",
  "hello.txt": "hello, world",
  "digits.txt": "0123456789",
  "letters.txt": LETTERS + LETTERS.toUpperCase(),
  "empty.txt": "",
  /** Too large to be kept in memory. */
  "large.txt": "0123456789".repeat(150_000),
  "page.html": "<!DOCTYPE html><title>Page</title>",
  "style.css": "p{}",
  "script.js": "1;",
  "data.json": "{}",
  "picture.png": "png",
  "picture.JPG": "jpg",
  "archive.tar.gz": "tgz",
  "strange.zzz": "zzz",
  noextension: "none",
  "own-404.html": "<!DOCTYPE html><title>Our own 404</title>",

  // Names that need care.
  "a file.txt": "blank",
  "a+b.txt": "plus",
  "what?.txt": "question",
  "sharp#.txt": "sharp",
  "100%.txt": "percent",
  "na\u00efve.txt": "utf-8",
  "....": "four dots",
  "..;": "dots and semicolon",
  "%2e%2e": "encoded once more",

  "docs/index.html": "<!DOCTYPE html><title>Docs</title>",
  "docs/more.txt": "more",
  "docs/.private/key.txt": "secret",
  "htm/index.htm": "<!DOCTYPE html><title>Htm</title>",
  "both/index.htm": "second",
  "both/index.html": "first",
  "list/one.txt": "1",
  "list/two.txt": "22",
  "list/sub/three.txt": "333",
  "list/.hidden.txt": "secret",
  "odd/index.html/x.txt": "x",
  "evil.example/x.txt": "x",
  "50% off/x.txt": "x",
  "q?a#b/x.txt": "x",
  "na\u00efve/x.txt": "x",
  "<b>/x.txt": "x",

  ".hidden": "secret",
  ".git/config": "secret",
  ".well-known/security.txt": "well known",
  ".well-known/.secret": "secret",

  "links/in.txt": { link: "../hello.txt" },
  "links/out.txt": { link: "../../outside.txt" },
  "link-inside.txt": { link: "hello.txt" },
  "link-docs": { link: "docs" },
  "link-outside.txt": { link: "../outside.txt" },
  "link-beside.txt": { link: "../htdocs-beside/beside.txt" },
  "link-up": { link: ".." },
  "link-nowhere": { link: "nowhere" },
  "link-loop": { link: "link-loop" },
  "link-device": { link: "/dev/zero" },
  pipe: { fifo: true },

  // Virtual hosts.
  "alpha.test/index.html": "<!DOCTYPE html><title>Alpha</title>",
  "alpha.test/hello.txt": "hello from alpha",
  "alpha.test/sub/x.txt": "x",
  "beta.test/index.html": "<!DOCTYPE html><title>Beta</title>",
  "beta.test/hello.txt": "hello from beta",
  "beta.test/404.html": "<!DOCTYPE html><title>404 of beta</title>",
  "[::1]/hello.txt": "hello from six",
  ".dot.test/hello.txt": "secret",
  "out.test": { link: "../htdocs-beside" },
  "file.test": "not a directory",
};

export const SITE_FILES: Readonly<Record<string, Entry>> = {
  "outside.txt": "secret",
  "htdocs-beside/beside.txt": "secret",
  "htdocs-beside/hello.txt": "secret",
  ...Object.fromEntries(Object.entries(DOCUMENTS).map(([name, entry]) => [`htdocs/${name}`, entry])),
};
