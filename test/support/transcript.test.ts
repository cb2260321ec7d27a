import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTranscript } from "./transcript.ts";

const FENCE = "```";
const fence = (kind: string, ...lines: string[]): string => [`${FENCE}${kind}`, ...lines, FENCE].join("\n");
const plain = fence("config plain", "");
const oneCase = [fence("send", "GET / HTTP/1.1", ""), fence("receive second", "<eof>")].join("\n\n");

test("parseTranscript: title, cases and their steps", () => {
  const { title, cases } = parseTranscript("a.md", `# Title\n\n${plain}\n\n## A rule\n\nProse.\n\n${oneCase}\n`);
  assert.equal(title, "Title");
  assert.deepEqual(cases, [
    {
      name: "A rule",
      line: 7,
      configuration: "plain",
      once: false,
      steps: [
        { kind: "send", connection: "", line: 11, lines: ["GET / HTTP/1.1", ""] },
        { kind: "receive", connection: "second", line: 16, lines: ["<eof>"] },
      ],
    },
  ]);
});

test("parseTranscript: a configuration of the file, of a case, and a case that is played once", () => {
  const configs = `${fence("config one", "a = 1", "b = 2")}\n${fence("config two", "")}`;
  const { cases, vocabulary } = parseTranscript(
    "a.md",
    `# T\n${configs}\n\nconfig: one\n\n## A\n${oneCase}\n## B\nconfig: two\nrun: once\n${oneCase}`,
  );
  assert.deepEqual(
    cases.map(({ name, configuration, once }) => [name, configuration, once]),
    [
      ["A", "one", false],
      ["B", "two", true],
    ],
  );
  assert.equal(vocabulary.configurations.get("one"), "a = 1\nb = 2");
});

test("parseTranscript: definitions are added to those that are known", () => {
  const known = parseTranscript("README.md", `${fence("define old", "x")}\n${plain}`).vocabulary;
  const { vocabulary } = parseTranscript("a.md", fence("define new", "y", "z"), known);
  assert.deepEqual(
    [...vocabulary.definitions],
    [
      ["old", ["x"]],
      ["new", ["y", "z"]],
    ],
  );
  assert.deepEqual([...vocabulary.configurations.keys()], ["plain"]);
});

const faults: [name: string, text: string, message: RegExp][] = [
  ["a block of unknown kind", fence("sent"), /^Error: a\.md:1: a block of unknown kind "sent"/],
  ["a block without end", "## A\n```send\nGET", /^Error: a\.md:2: a block without end/],
  ["a block before the first case", fence("send", "x"), /^Error: a\.md:1: a send block before the first case/],
  ["a case that receives nothing", `${plain}\n## A\n${fence("send", "x")}`, /"A" receives nothing/],
  ["two cases of one name", `${plain}\n## A\n${oneCase}\n## A\n${oneCase}`, /a second case of the name "A"/],
  ["a configuration that is not there", `## A\n${oneCase}`, /no configuration of the name "plain"/],
  ["another word after run", `${plain}\n## A\nrun: twice\n${oneCase}`, /cannot be understood here: run: twice/],
];
for (const [name, text, message] of faults) {
  test(`parseTranscript refuses ${name}`, () => assert.throws(() => parseTranscript("a.md", text), message));
}
