import assert from "node:assert/strict";
import { test } from "node:test";
import { createSecureContext } from "node:tls";
import fc from "fast-check";
import { type PemBlock, readPem } from "../../src/tls/pem.ts";
import { processorTimeOf } from "../support/processor-time.ts";
import { readKey } from "../support/tls-client.ts";

const read = (text: string) => readPem({ name: "a.pem", text });

function block(label: string, body = "QUJD\nREVG\n", end = `-----END ${label}-----\n`): string {
  return `-----BEGIN ${label}-----\n${body}${end}`;
}

const found = (label: string, line = 1, text = block(label)): PemBlock => ({ label, line, isEncrypted: false, text });

const MARK = "\xef\xbb\xbf";
const certificate = block("CERTIFICATE");
const key = block("PRIVATE KEY");
const OLD_HEADER = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00FF\n\n";

const whole: [name: string, text: string, want: PemBlock[]][] = [
  ["nothing", "", []],
  ["words alone", "a\n-\n-- \n---- BEGIN SSH2 PUBLIC KEY ----\n", []],
  ["a certificate", certificate, [found("CERTIFICATE")]],
  ["blocks in the order of the file", key + certificate, [found("PRIVATE KEY"), found("CERTIFICATE", 5)]],
  ["any label", block("x_1 foo"), [found("x_1 foo")]],
  [
    "words around",
    `subject=/CN=a\n${certificate}\n# key:\n${key}bye`,
    [found("CERTIFICATE", 2), found("PRIVATE KEY", 8)],
  ],
  ["a block that is commented out", certificate.replaceAll(/^/gm, "#"), []],
  ["CRLF", certificate.replaceAll("\n", "\r\n"), [found("CERTIFICATE")]],
  ["no line end after it", certificate.trimEnd(), [found("CERTIFICATE")]],
  ["blanks behind the lines", certificate.replaceAll("\n", " \t\n"), [found("CERTIFICATE")]],
  ["blanks before and within base64", block("CERTIFICATE", " QU JD\n\tREVG\n"), [found("CERTIFICATE")]],
  ["one long line", block("A", `${"QUJD".repeat(200)}\n`), [found("A", 1, block("A", `${"QUJD".repeat(200)}\n`))]],
  ["an empty line after BEGIN", block("CERTIFICATE", "\nQUJD\nREVG\n"), [found("CERTIFICATE")]],
  ["a byte-order mark", MARK + certificate, [found("CERTIFICATE")]],
  ["one where files were joined", certificate + MARK + key, [found("CERTIFICATE"), found("PRIVATE KEY", 5)]],
  [
    "an encrypted block",
    block("RSA PRIVATE KEY", `${OLD_HEADER}QUJD\nREVG\n`),
    [{ ...found("RSA PRIVATE KEY"), isEncrypted: true }],
  ],
];
for (const [name, text, blocks] of whole) {
  test(`readPem: ${name}`, () => assert.deepEqual(read(text), { kind: "blocks", blocks }));
}

const NOT_CLOSED =
  "the block CERTIFICATE from line 1 does not end here: expected only -----END CERTIFICATE----- on the line";
const NOT_BASE64 = "the block CERTIFICATE from line 1 has a line that is not base64";
const INCOMPLETE = "the block CERTIFICATE from line 1 has incomplete base64";
const DAMAGED = "damaged PEM line: expected a line such as -----BEGIN CERTIFICATE-----";

const refused: [name: string, text: string, want: string][] = [
  [
    "a file that is cut off",
    `${key}-----BEGIN CERTIFICATE-----\nQU`,
    "5: the block CERTIFICATE has no END line: the file is incomplete",
  ],
  ["cut off in the END line", certificate.slice(0, -3), `4: ${NOT_CLOSED}`],
  ["a block that another cuts off", `-----BEGIN CERTIFICATE-----\nQUJD\n${key}`, `3: ${NOT_CLOSED}`],
  ["two blocks without a line between", certificate.trimEnd() + key, `4: ${NOT_CLOSED}`],
  [
    "an END line of another kind",
    block("CERTIFICATE", "QUJD\n", "-----END X509 CERTIFICATE-----\n"),
    `3: ${NOT_CLOSED}`,
  ],
  ["words behind an END line", certificate.replace(/$/, "").trimEnd() + " x\n", `4: ${NOT_CLOSED}`],
  ["words in a block", block("CERTIFICATE", "QUJD\nhello, world\nREVG\n"), `3: ${NOT_BASE64}`],
  ["a letter that is not of base64", block("CERTIFICATE", "QUJ_\n"), `2: ${NOT_BASE64}`],
  ["a mark in a block", block("CERTIFICATE", `QUJD\n${MARK}REVG\n`), `3: ${NOT_BASE64}`],
  ["a header that says nothing of encryption", block("CERTIFICATE", "X-Name: y\n\nQUJD\n"), `2: ${NOT_BASE64}`],
  ["a header without its empty line", block("CERTIFICATE", OLD_HEADER.replace("\n\n", "\n")), `2: ${NOT_BASE64}`],
  ["an empty line in base64", block("CERTIFICATE", "QUJD\n\nREVG\n"), `3: ${NOT_BASE64}`],
  ["an empty line before END", block("CERTIFICATE", "QUJD\n\n"), `3: ${NOT_BASE64}`],
  ["an empty body", block("CERTIFICATE", ""), `2: ${INCOMPLETE}`],
  ["a lost letter", block("CERTIFICATE", "QUJDR\n"), `3: ${INCOMPLETE}`],
  ["letters after the padding", block("CERTIFICATE", "QQ==\nQUJD\n"), `4: ${INCOMPLETE}`],
  ["damage in a block that is not used", block("X", "!\n"), "2: the block X from line 1 has a line that is not base64"],
  ["an END line alone", `\n-----END CERTIFICATE-----\n${certificate}`, `2: ${DAMAGED}`],
  ["an indented block", certificate.replaceAll(/^/gm, "  "), `1: ${DAMAGED}`],
  ["a dash too few", certificate.replace("-----", "----"), `1: ${DAMAGED}`],
  ["a dash too few behind", certificate.replace("CERTIFICATE-----", "CERTIFICATE----"), `1: ${DAMAGED}`],
  ["no label", `-----BEGIN -----\nQUJD\n-----END -----\n`, `1: ${DAMAGED}`],
  ["CR alone", certificate.replaceAll("\n", "\r"), `1: ${DAMAGED}`],
  [
    "UTF-16",
    `\xff\xfe${Buffer.from(certificate, "utf16le").toString("latin1")}`,
    "1: UTF-16 text: expected plain ASCII",
  ],
];
for (const [name, text, want] of refused) {
  test(`readPem refuses ${name}`, () => assert.deepEqual(read(text), { kind: "fault", fault: `a.pem:${want}` }));
}

const words = fc.constantFrom(
  "-----BEGIN ",
  "-----END ",
  "CERTIFICATE",
  "PRIVATE KEY",
  "-----",
  "-",
  "\n",
  "\r\n",
  " ",
  "QUJD",
  "=",
  "\0",
  MARK,
);

test("readPem: no BEGIN line is lost, and what was read is read again", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(words, { maxLength: 60 }).map((each) => each.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const reading = read(text);
      if (reading.kind === "fault") return;
      assert.equal(reading.blocks.length, text.match(/^(?:\xef\xbb\xbf)?-----BEGIN /gm)?.length ?? 0);
      const again = read(reading.blocks.map((each) => each.text).join(""));
      assert.ok(again.kind === "blocks");
      const [before, after] = [reading.blocks, again.blocks].map((all) => all.map(({ label, text }) => [label, text]));
      if (!reading.blocks.some(({ isEncrypted }) => isEncrypted)) assert.deepEqual(after, before);
    }),
    { numRuns: 1000 },
  );
});

const REAL = readKey("p256.pem");

test("readPem: a file that is cut off is refused, unless the cut is between two blocks", () => {
  const all = read(REAL);
  assert.ok(all.kind === "blocks");
  const ends = [...REAL.matchAll(/-----END .+-----/g)].map(({ index, 0: line }) => index + line.length);
  for (let end = 0; end <= REAL.length; end += 1) {
    const reading = read(REAL.slice(0, end));
    const complete = ends.filter((each) => each <= end).length;
    const rest = REAL.slice(ends[complete - 1] ?? 0, end).trim();
    if (rest === "" || rest === "-")
      assert.deepEqual(reading, { kind: "blocks", blocks: all.blocks.slice(0, complete) });
    else if (rest.startsWith("-----BEGIN ")) assert.equal(reading.kind, "fault", `cut at ${end}`);
  }
});

/** OpenSSL reads a file from its beginning up to the last certificate. */
const refusal = (text: string): string | undefined => {
  try {
    createSecureContext({ cert: text });
    return undefined;
  } catch (error) {
    return String(error);
  }
};

test("readPem: what OpenSSL refuses is refused", () => {
  const place = fc.nat(REAL.length);
  const damage = fc.oneof(
    fc.tuple(place, fc.nat(90)).map(([at, length]) => REAL.slice(0, at) + REAL.slice(at + length)),
    fc.tuple(place, words).map(([at, word]) => REAL.slice(0, at) + word + REAL.slice(at)),
    fc.tuple(place, place).map(([end, from]) => REAL.slice(0, end) + REAL.slice(from)),
  );
  fc.assert(
    fc.property(damage, (text) => {
      const why = read(text).kind === "fault" ? undefined : refusal(text);
      assert.doesNotMatch(why ?? "", /PEM routines(?!.*no start line)/);
    }),
    { numRuns: 500 },
  );
});

const MIB = 1024 * 1024;
const BEGIN = "-----BEGIN CERTIFICATE-----\n";
const upTo = (text: string): string => text.repeat(Math.ceil(MIB / text.length));
const hostile: [name: string, text: string][] = [
  ["dashes", upTo("-")],
  ["lines of dashes", upTo("-----\n")],
  ["small blocks", upTo(block("A", "QUJD\n"))],
  ["beginnings without an end", upTo(BEGIN)],
  ["one beginning and empty lines", BEGIN + upTo("\n")],
  ["one beginning and short lines", BEGIN + upTo("QUJD\n")],
  ["one beginning and a long line", BEGIN + upTo("QUJD")],
  ["one beginning and blanks", BEGIN + upTo(" ")],
  ["a whole block of blanks and letters", block("A", `${upTo("Q ")}\n`)],
  ["a long label", `-----BEGIN ${upTo("A ")}`],
  ["blanks behind a beginning", BEGIN.trimEnd() + upTo(" ")],
  ["blanks before a beginning", upTo(" ") + BEGIN],
];
/** Quadratic time is tens of seconds here, linear time a few milliseconds. */
const MAX_CPU_MS = 3000;
for (const [name, text] of hostile) {
  test(`readPem: 1 MiB of ${name} costs one pass`, () => {
    assert.ok(processorTimeOf(() => read(text)) < MAX_CPU_MS);
  });
}
