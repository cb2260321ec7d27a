import assert from "node:assert/strict";
import { test } from "node:test";
import { arrangeFaults, didYouMean, fileFault, flagFault, formatFault, quote } from "../../src/config/fault.ts";

const file = "conf/comanche.conf";

test("formatFault: a line of a file", () => {
  assert.equal(formatFault(fileFault({ file, line: 12 }, "x: expected y")), "conf/comanche.conf:12: x: expected y");
});
test("formatFault: a file as a whole", () => {
  assert.equal(formatFault(fileFault({ file, line: 0 }, "cannot be read")), "conf/comanche.conf: cannot be read");
});
test("formatFault: a flag", () => {
  assert.equal(formatFault(flagFault("--port=x", "expected y")), "--port=x: expected y");
});

test("arrangeFaults: flags first, then lines as numbers, none twice", () => {
  const [nine, ten] = [fileFault({ file, line: 9 }, "a"), fileFault({ file, line: 10 }, "b")];
  const flag = flagFault("--port", "c");
  assert.deepEqual(arrangeFaults([ten, nine, flag, { ...ten }]), [flag, nine, ten]);
});

const quotes: [name: string, text: string, want: string][] = [
  ["plain text", "eighty", "eighty"],
  ["a line end", "80\n81", "80\\n81"],
  ["an escape sequence cannot drive the terminal", "\x1b[2J", "\\x1b[2J"],
  ["C1 control characters", "\x9b2J", "\\x9b2J"],
  ["a long text is cut", "x".repeat(100), `${"x".repeat(72)}…`],
];
for (const [name, text, want] of quotes) test(`quote: ${name}`, () => assert.equal(quote(text), want));

test("didYouMean: a known name is near", () => {
  assert.equal(
    didYouMean("prot", ["port"], (name) => `--${name}`),
    " (did you mean --port?)",
  );
});
test("didYouMean: none is near", () => assert.equal(didYouMean("frobnicate", ["port"]), ""));
