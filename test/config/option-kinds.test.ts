import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { bytes, milliseconds } from "../../src/base/units.ts";
import {
  accountName,
  charsetName,
  choice,
  directoryName,
  duration,
  extension,
  fieldText,
  fileMode,
  fileName,
  filePath,
  flag,
  formatDuration,
  formatSize,
  hostName,
  listenAddress,
  listOf,
  listOrNo,
  logTarget,
  numberChoice,
  type OptionKind,
  optional,
  orAuto,
  orEmpty,
  orNo,
  rootFolder,
  size,
  tcpPort,
  urlPath,
  wholeNumber,
} from "../../src/config/option-kinds.ts";

const folder = absolutePath("/srv/base");
const colour = choice("red", "green", "blue");
const anyTime = duration(1, 86_400_000);
const MIB = 1024 * 1024;

/** In a row: a fault, and the words that say what was expected. */
class Expected {
  readonly words: string;
  constructor(words: string) {
    this.words = words;
  }
}

type Row<Value> = [name: string, text: string, want: Value | Expected];

function table<Value>(title: string, kind: OptionKind<Value>, rows: readonly Row<Value>[]): void {
  for (const [name, text, want] of rows) {
    test(`${title}: ${name}`, () => {
      const parsed = kind.parse(text, folder);
      if (want instanceof Expected) assert.deepEqual(parsed, { kind: "fault", expects: want.words });
      else assert.deepEqual(parsed, { kind: "value", value: want });
    });
  }
}

const port = new Expected("a whole number from 0 to 65535");
table("tcpPort", tcpPort, [
  ["zero lets the system choose", "0", 0],
  ["the last one", "65535", 65535],
  ["one too many", "65536", port],
  ["a sign", "+80", port],
  ["negative", "-1", port],
  ["a blank inside", "8 0", port],
  ["hexadecimal", "0x50", port],
  ["a fraction", "80.0", port],
  ["an exponent", "8e1", port],
  ["letters", "eighty", port],
  ["nothing", "", port],
  ["digits of another script", "８０", port],
  ["more digits than a number holds", "9".repeat(400), port],
  ["two lines", "80\n81", port],
]);

table("orAuto", orAuto(wholeNumber(1, 9)), [
  ["the word", "auto", "auto"],
  ["the word in any case", "Auto", "auto"],
  ["a number", "9", 9],
  ["a number out of bounds", "10", new Expected("a whole number from 1 to 9, or auto")],
  ["another word", "all", new Expected("a whole number from 1 to 9, or auto")],
]);

const mode = new Expected("three octal digits, such as 660");
table("fileMode", fileMode, [
  ["three octal digits", "660", 0o660],
  ["with the zero that C wants", "0660", 0o660],
  ["nobody may", "000", 0],
  ["a digit that is not octal", "668", mode],
  ["two digits", "66", mode],
  ["a bit that files have and sockets need not", "4755", mode],
  ["letters", "rw-", mode],
  ["nothing", "", mode],
]);

const account = new Expected("the name or the number of an account");
table("accountName", accountName, [
  ["a name", "www-data", "www-data"],
  ["a name that systemd would take", "_comanche", "_comanche"],
  ["a name of another domain", "ann@example.org", "ann@example.org"],
  ["a machine's account", "host$", "host$"],
  ["a number", "1000", "1000"],
  ["a blank inside", "www data", account],
  ["a name that begins with a dash", "-u", account],
  ["a negative number", "-1", account],
  ["a path", "/etc/passwd", account],
  ["nothing", "", account],
]);

table("rootFolder", rootFolder, [
  ["an absolute path", "/jail", "/jail"],
  ["a relative path", "jail/", "/srv/base/jail"],
  ["the root that everybody has is none", "/", undefined],
  ["by another name too", "/jail/..", undefined],
  ["nothing", "", undefined],
]);

table("wholeNumber", wholeNumber(1, 9), [
  ["below the least", "0", new Expected("a whole number from 1 to 9")],
  ["the least", "1", 1],
  ["the most", "9", 9],
]);

const sizeWords = new Expected("a size from 64 to 1m, such as 512, 64k or 10m");
table("size", size(64, MIB), [
  ["bytes", "512", bytes(512)],
  ["units of 1024", "64k", bytes(65536)],
  ["a capital letter", "64K", bytes(65536)],
  ["the most", "1m", bytes(MIB)],
  ["above the most", "1g", sizeWords],
  ["below the least", "63", sizeWords],
  ["a unit alone", "k", sizeWords],
  ["an unknown unit", "64kb", sizeWords],
  ["a fraction", "0.5m", sizeWords],
  ["a blank before the unit", "64 k", sizeWords],
]);
table("size", size(0), [
  ["without bounds the words name none", "x", new Expected("a size such as 512, 64k or 10m")],
  ["more than a number can count", "9999999999g", new Expected("a size such as 512, 64k or 10m")],
  ["a unit of 1024³", "2g", bytes(2 * 1024 * MIB)],
]);

const timeWords = new Expected("a time from 1ms to 24h, such as 500ms, 3s or 5m");
table("duration", anyTime, [
  ["milliseconds", "500ms", milliseconds(500)],
  ["a bare number is seconds", "3", milliseconds(3000)],
  ["seconds", "3s", milliseconds(3000)],
  ["minutes", "5m", milliseconds(300_000)],
  ["hours", "1h", milliseconds(3_600_000)],
  ["capital letters", "1H", milliseconds(3_600_000)],
  ["below the least", "0", timeWords],
  ["above the most", "25h", timeWords],
  ["an unknown unit", "3d", timeWords],
  ["a fraction", "1.5s", timeWords],
  ["two units", "1h30m", timeWords],
  ["negative", "-3s", timeWords],
]);

for (const word of ["yes", "on", "true", "1", "YES", "On"]) table("flag", flag, [[`${word} is yes`, word, true]]);
for (const word of ["no", "off", "false", "0", "NO", "Off"]) table("flag", flag, [[`${word} is no`, word, false]]);
for (const word of ["", "y", "2", "maybe", "yes no"])
  table("flag", flag, [[`"${word}" is neither`, word, new Expected("yes or no")]]);

table<string>("choice", colour, [
  ["one of them", "green", "green"],
  ["in another case", "Green", "green"],
  ["a slip", "gren", new Expected("one of red, green, blue (did you mean green?)")],
  ["something else", "ultraviolet", new Expected("one of red, green, blue")],
]);
table<number>("numberChoice", numberChoice(400, 403, 404), [
  ["one of them", "403", 403],
  ["another number", "500", new Expected("one of 400, 403, 404")],
  ["a number written otherwise", "0403", new Expected("one of 400, 403, 404")],
]);

table<string>("filePath", filePath, [
  ["absolute", "/srv/www", "/srv/www"],
  ["relative to the folder", "www", "/srv/base/www"],
  ["climbing from the folder", "../www", "/srv/www"],
  ["a slash at the end", "/srv/www/", "/srv/www"],
  ["nothing", "", new Expected("a path")],
  ["NUL", "a\0b", new Expected("a path")],
  ["two lines", "a\nb", new Expected("a path")],
]);
table<string>("logTarget", logTarget, [
  ["standard output", "-", "-"],
  ["a file", "logs/access", "/srv/base/logs/access"],
  ["a folder", "logs/", new Expected("the path of a file, or - for the standard output")],
  ["nothing", "", new Expected("the path of a file, or - for the standard output")],
]);

const page = new Expected("the URL path of a file below docbase, such as /404.html");
table<string>("urlPath", urlPath, [
  ["a page", "/404.html", "/404.html"],
  ["in folders", "/errors/de/404.html", "/errors/de/404.html"],
  ["percent-encoded", "/not%20here.html", "/not%20here.html"],
  ["relative", "404.html", page],
  ["two slashes in front", "//example.org/", page],
  ["a folder", "/errors/", page],
  ["a query", "/404.html?x", page],
  ["a fragment", "/404.html#x", page],
  ["climbing", "/../secret", page],
  ["climbing, encoded", "/%2e%2E/secret", page],
  ["an encoded slash", "/a%2Fb", page],
  ["NUL", "/a%00", page],
  ["a lone percent sign", "/100%", page],
  ["a whole URL", "http://example.org/404.html", page],
  ["a blank", "/not here", page],
  ["nothing", "", page],
]);

table<string>("fieldText", fieldText, [
  ["words", "Comanche (intranet)", "Comanche (intranet)"],
  ["two lines could forge a field", "Comanche\nSet-Cookie: x", new Expected("one line of ASCII text")],
  ["a control character", "a\x1bb", new Expected("one line of ASCII text")],
  ["other letters", "Comanché", new Expected("one line of ASCII text")],
]);
table<string>("charsetName", charsetName, [
  ["a name", "utf-8", "utf-8"],
  ["with a parameter", "utf-8; x=y", new Expected("the name of a character encoding, such as utf-8")],
]);
table<string>("extension", extension, [
  ["plain", "html", "html"],
  ["with its dot, in capitals", ".HTML", "html"],
  ["two dots", "tar.gz", new Expected("a file extension such as html")],
  ["a pattern", "*/x", new Expected("a file extension such as html")],
]);
table<string>("fileName", fileName, [
  ["a name", "index.html", "index.html"],
  ["a path", "a/index.html", new Expected("a file name without folders, such as index.html")],
  ["the folder above", "..", new Expected("a file name without folders, such as index.html")],
]);

table("optional", optional(tcpPort), [
  ["nothing is none", "", undefined],
  ["a value", "80", 80],
  ["a fault names both", "x", new Expected("a whole number from 0 to 65535, or nothing")],
]);
table("orEmpty", orEmpty(charsetName), [
  ["nothing stays empty", "", ""],
  ["a value", "utf-8", "utf-8"],
]);

table("orNo", orNo(tcpPort), [
  ["no", "no", undefined],
  ["off, in capitals", "OFF", undefined],
  ["a value", "80", 80],
  ["yes is not a value", "yes", new Expected("a whole number from 0 to 65535, or no")],
  ["nothing", "", new Expected("a whole number from 0 to 65535, or no")],
]);

table<string>("directoryName", directoryName, [
  ["relative to something known later", "uploads", "uploads"],
  ["absolute", "/var/uploads", "/var/uploads"],
  ["NUL", "a\0b", new Expected("the path of a directory")],
  ["nothing", "", new Expected("the path of a directory")],
]);

const portList = new Expected("a list of values separated by commas, each a whole number from 0 to 65535");
table("listOf", listOf(tcpPort), [
  ["nothing is the empty list", "", []],
  ["one", "80", [80]],
  ["several, with blanks", "80 ,81,  82", [80, 81, 82]],
  ["one on each line", "80\n81", [80, 81]],
  ["lines that end in commas", "80,\n81,\n82", [80, 81, 82]],
  ["a first line left empty", "\n80\n81", [80, 81]],
  ["nothing between two commas", "80,,81", portList],
  ["a comma at the end", "80,", portList],
  ["one bad value", "80,eighty", portList],
]);
table("listOrNo", listOrNo(tcpPort), [
  ["one", "80", [80]],
  ["no", "no", []],
  ["nothing", "", new Expected("a list of values separated by commas, each a whole number from 0 to 65535, or no")],
]);

const roundTrips: [name: string, kind: OptionKind<unknown>, text: string][] = [
  ["a size", size(0), "10m"],
  ["an odd size", size(0), "1025"],
  ["no bytes", size(0), "0"],
  ["a time", anyTime, "90s"],
  ["a list", listOf(hostName), "localhost, [::1]"],
  ["addresses", listOf(listenAddress), "*, unix:/run/comanche.sock"],
  ["a flag", flag, "no"],
  ["none", optional(tcpPort), ""],
  ["turned off", orNo(tcpPort), "no"],
  ["not turned off", orNo(tcpPort), "80"],
];
for (const [name, kind, text] of roundTrips) {
  test(`format is what parse reads: ${name}`, () => {
    const parsed = kind.parse(text, folder);
    assert.ok(parsed.kind === "value");
    assert.equal(kind.format(parsed.value), text);
  });
}

test("formatSize and formatDuration are read back as the same value", () => {
  const ofSize = size(0);
  const ofTime = duration(0, Number.MAX_SAFE_INTEGER);
  fc.assert(
    fc.property(fc.nat(2 ** 31), (value) => {
      assert.deepEqual(ofSize.parse(formatSize(bytes(value)), folder), { kind: "value", value });
      assert.deepEqual(ofTime.parse(formatDuration(milliseconds(value)), folder), { kind: "value", value });
    }),
  );
});

test("no kind throws, whatever the text", () => {
  const kinds: OptionKind<unknown>[] = [
    tcpPort,
    size(1, 2),
    anyTime,
    flag,
    colour,
    filePath,
    logTarget,
    urlPath,
    fieldText,
    charsetName,
    hostName,
    extension,
    fileName,
    listOf(listenAddress),
    orAuto(tcpPort),
    fileMode,
    accountName,
    rootFolder,
  ];
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.constantFrom(...kinds), (text, kind) => {
      assert.ok(["value", "fault"].includes(kind.parse(text, folder).kind));
    }),
  );
});
