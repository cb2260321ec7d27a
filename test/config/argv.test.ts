import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseArgv } from "../../src/config/argv.ts";
import { formatFault } from "../../src/config/fault.ts";
import { allOptions } from "../../src/config/options.ts";

const parse = (...argv: string[]) => parseArgv(argv, "1.2.3");

function faultsOf(...argv: string[]): readonly string[] {
  const parsed = parse(...argv);
  return parsed.kind === "faults" ? parsed.faults.map(formatFault) : [];
}

function helpText(): string {
  const parsed = parse("--help");
  return parsed.kind === "print" ? parsed.text : "";
}

const layers: [name: string, argv: string[], want: Record<string, string>][] = [
  ["nothing", [], {}],
  ["the command by name", ["serve", "--port", "80"], { port: "80" }],
  ["flags before the command", ["--port", "80", "serve"], { port: "80" }],
  ["long with an equals sign", ["--port=80"], { port: "80" }],
  ["short", ["-p", "80"], { port: "80" }],
  ["short, the value at once", ["-p80", "-bhtdocs"], { port: "80", docbase: "htdocs" }],
  ["short with an equals sign", ["-p=80"], { port: "80" }],
  ["several letters", ["-dqvp", "80"], { daemon: "no", quiet: "yes", virthost: "yes", port: "80" }],
  [
    "the line from the manual",
    ["-a", "0.0.0.0", "-p", "8080", "-b", "htdocs"],
    { address: "0.0.0.0", port: "8080", docbase: "htdocs" },
  ],
  ["a switch", ["--quiet"], { quiet: "yes" }],
  ["a switch switched off", ["--no-listing"], { listing: "no" }],
  ["a switch with its value", ["--listing=off"], { listing: "off" }],
  ["a switch with its value apart", ["--listing", "no", "-q"], { listing: "no", quiet: "yes" }],
  ["a switch before a command", ["-q", "serve"], { quiet: "yes" }],
  ["-d stays in the foreground", ["-d"], { daemon: "no" }],
  ["--no-daemon too", ["--no-daemon"], { daemon: "no" }],
  ["--daemon goes to the background", ["--daemon"], { daemon: "yes" }],
  ["a list, repeated", ["-a", "::1", "-a", "127.0.0.1"], { address: "::1,127.0.0.1" }],
  ["a list with commas", ["--types=html,txt", "--types", "png"], { types: "html,txt,png" }],
  ["standard output, short", ["-l", "-"], { logfile: "-" }],
  ["standard output, at once", ["-l-"], { logfile: "-" }],
  ["standard output, long", ["--logfile", "-", "--errorlog=-"], { logfile: "-", errorlog: "-" }],
  ["a negative number is a value, to be refused as one", ["-p", "-1"], { port: "-1" }],
  ["an empty value", ["--charset", ""], { charset: "" }],
  ["an empty value behind an equals sign", ["--charset="], { charset: "" }],
  ["a value that is an assignment", ["--server", "a=b"], { server: "a=b" }],
  ["an empty list of words is no value", ["--"], {}],
  ["a value that cannot be read is left for later", ["--port=abc"], { port: "abc" }],
  ["numbers stay as they were written", ["--max-body=0010", "--port=8e1"], { "max-body": "0010", port: "8e1" }],
];
for (const [name, argv, want] of layers) {
  test(`parseArgv: ${name}`, () => {
    const parsed = parse(...argv);
    assert.ok(parsed.kind === "run", faultsOf(...argv).join());
    assert.deepEqual(Object.fromEntries(parsed.layer), want);
    assert.equal(parsed.command, "serve");
  });
}

test("parseArgv: absent flags leave nothing in the layer, so none can hide the file's value", () => {
  const parsed = parse("stop", "-c", "x.conf");
  assert.deepEqual(parsed, { kind: "run", command: "stop", layer: new Map(), configFile: "x.conf" });
});

for (const command of ["serve", "stop", "reload", "status"] as const) {
  test(`parseArgv: the command ${command}`, () => {
    const parsed = parse("-q", command, "--pidfile", "x");
    assert.deepEqual(parsed.kind === "run" && [parsed.command, [...parsed.layer.keys()]], [
      command,
      ["quiet", "pidfile"],
    ]);
    const [, help = ""] = new RegExp(`^  comanche \\[?${command}\\]? \\[options\\] +(.*)$`, "m").exec(helpText()) ?? [];
    assert.notEqual(help, "");
  });
}

for (const { key, option } of allOptions) {
  test(`parseArgv: the flag --${key} is there`, () => {
    const parsed = parse(option.kind.shape === "flag" ? `--${key}=no` : `--${key}=x`);
    assert.ok(parsed.kind === "run" && parsed.layer.has(key));
  });
}

const unknown = "unknown option: comanche --help lists them all";
const commands = "unknown command: expected serve, stop, reload, status, tls or completion";
const faultCases: [name: string, argv: string[], want: string[]][] = [
  ["an unknown flag with a near one", ["--indexfile=x"], ["--indexfile: unknown option (did you mean --indexfiles?)"]],
  ["an unknown flag and its value", ["--prot", "80"], ["--prot: unknown option (did you mean --port?)"]],
  ["a flag in the settings' spelling", ["--maxTarget=1"], ["--maxTarget: unknown option (did you mean --max-target?)"]],
  ["an unknown flag like no other", ["--frobnicate"], [`--frobnicate: ${unknown}`]],
  ["an unknown letter", ["-z"], [`-z: ${unknown}`]],
  ["an unknown letter among others", ["-qz"], [`-z: ${unknown}`]],
  ["a value cannot be switched off", ["--no-port"], [`--no-port: ${unknown}`]],
  ["no value at the end", ["--port"], ["--port: expected a value: --port N"]],
  ["no value before another flag", ["-p", "-q"], ["--port: expected a value: --port N"]],
  ["no value for the text that may be empty", ["--charset"], ["--charset: expected a value: --charset NAME"]],
  ["no configuration file", ["-c", ""], ["--config: expected a value: --config PATH"]],
  ["a flag twice", ["-p", "1", "--port", "2"], ["--port: given 2 times: expected it once"]],
  ["a switch on and off", ["--quiet", "--no-quiet"], ["--quiet: given 2 times: expected it once"]],
  ["two configuration files", ["-c", "a", "-c", "b"], ["--config: given 2 times: expected it once"]],
  ["an unknown command with a near one", ["servee"], [`servee: ${commands} (did you mean serve?)`]],
  ["a folder without its flag", ["htdocs"], [`htdocs: ${commands}; a folder to serve is given with -b`]],
  ["two values for one flag", ["serve", "-p", "80", "81"], ["81: expected only flags after serve"]],
  ["words behind two dashes", ["stop", "--", "-q"], ["-q: expected only flags after stop"]],
  ["a lone dash", ["-"], [`-: ${commands}; a folder to serve is given with -b`]],
  [
    "names that every object has",
    ["--constructor", "--__proto__=x", "--toString=1"],
    [`--constructor: ${unknown}`, `--__proto__=x: ${unknown}`, `--toString=1: ${unknown}`],
  ],
  ["names that yargs uses itself", ["--_=x", "--$0=x"], [`--_=x: ${unknown}`, `--$0=x: ${unknown}`]],
  ["escape sequences in a word", ["\x1b[2J"], [`\\x1b[2J: ${commands}; a folder to serve is given with -b`]],
  [
    "all at once, with the values that cannot be read",
    ["--indexfile=x", "--port=abc", "--timeout", "--max-body=-1"],
    [
      "--indexfile: unknown option (did you mean --indexfiles?)",
      "--timeout: expected a value: --timeout TIME",
      "--port=abc: expected a whole number from 0 to 65535",
      "--max-body=-1: expected a size such as 512, 64k or 10m",
    ],
  ],
];
for (const [name, argv, want] of faultCases) {
  test(`parseArgv: ${name}`, () => assert.deepEqual(faultsOf(...argv), want));
}

for (const argv of [["--help"], ["-h"], ["stop", "--help"], ["--port", "-h"], ["--nonsense", "--help"]]) {
  test(`parseArgv: ${argv.join(" ")} prints the help`, () => {
    const parsed = parse(...argv);
    assert.ok(parsed.kind === "print");
    for (const { key } of allOptions.filter((each) => !each.key.startsWith("error-"))) {
      assert.match(parsed.text, new RegExp(`--(no-)?${key}\\b`));
    }
  });
}

for (const flag of ["--version", "-V"]) {
  test(`parseArgv: ${flag} prints the version`, () => assert.deepEqual(parse(flag), { kind: "print", text: "1.2.3" }));
}

test("parseArgv: completion prints a script, and answers what the script asks", () => {
  const script = parse("completion");
  assert.ok(script.kind === "print");
  assert.match(script.text, /comanche --get-yargs-completions/);
  const answersTo = (word: string): readonly string[] => {
    const answer = parse("--get-yargs-completions", "comanche", word);
    return answer.kind === "print" ? answer.text.split("\n") : [];
  };
  assert.ok(answersTo("--in").includes("--indexfiles"));
  const commands = answersTo("").filter((word) => !word.startsWith("-"));
  assert.deepEqual(commands.toSorted(), ["completion", "reload", "serve", "status", "stop", "tls"]);
});

test("parseArgv never throws, and never lets through what it does not know", () => {
  const words = fc.oneof(
    fc.string(),
    fc.constantFrom("-", "--", "-p", "-l", "-dq", "--port", "--listing", "no", "stop", "--no-daemon", "-c"),
    fc.string().map((name) => `--${name}`),
    fc.string().map((name) => `-${name}`),
    fc.tuple(fc.constantFrom("--port", "--constructor", "--x.y", "--hosts"), fc.string()).map((pair) => pair.join("=")),
  );
  const keys = new Set(allOptions.map(({ key }) => key));
  fc.assert(
    fc.property(fc.array(words, { maxLength: 5 }), (argv) => {
      const parsed = parse(...argv);
      if (parsed.kind === "run") assert.ok([...parsed.layer.keys()].every((key) => keys.has(key)));
      if (parsed.kind === "faults") assert.notEqual(parsed.faults.length, 0);
    }),
    { numRuns: 300 },
  );
});
