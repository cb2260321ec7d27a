/**
 * The command line: which command, and what its flags say. yargs gets every flag without a default, so that an absent flag
 * cannot hide the file's value. The values stay text here: they are read together with those of the file.
 */
import yargs from "yargs";
import { absolutePath } from "../base/absolute-path.ts";
import { findValueFaults } from "./build-settings.ts";
import { arrangeFaults, didYouMean, type Fault, flagFault, quote } from "./fault.ts";
import { formatHelp } from "./help.ts";
import { layerOfFlags } from "./load.ts";
import { flag } from "./option-kinds.ts";
import { allOptions, optionsByKey } from "./options.ts";

export type Command = (typeof RUN_COMMANDS)[number];

export type ParsedArgv =
  | {
      readonly kind: "run";
      readonly command: Command;
      /** The text of each flag that was given, by the key of its option. */
      readonly layer: ReadonlyMap<string, string>;
      readonly configFile: string | undefined;
    }
  /** For the standard output; the last line feed is still to be added. */
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "faults"; readonly faults: readonly Fault[] };

const PROGRAM = "comanche";
const RUN_COMMANDS = ["serve", "stop", "reload", "status"] as const;
const COMMANDS = [...RUN_COMMANDS, "tls", "completion"] as const;
const UNKNOWN = `unknown option: ${PROGRAM} --help lists them all`;
/** What the completion script asks with. */
const COMPLETIONS = "--get-yargs-completions";

/** The flags that are no options of the server. */
const OWN_FLAGS = [
  { key: "config", short: "c" },
  { key: "version", short: "V" },
  { key: "help", short: "h" },
] as const;

/** Every long flag. */
const LONG_FLAGS: ReadonlySet<string> = new Set([...OWN_FLAGS.map(({ key }) => key), ...optionsByKey.keys()]);

/** The long flag of each letter. */
const SHORT_FLAGS: ReadonlyMap<string, string> = new Map(
  [...OWN_FLAGS, ...allOptions.map(({ key, option }) => ({ key, short: option.short }))].flatMap(({ key, short }) =>
    short === undefined ? [] : [[short, key] as const],
  ),
);

/** @param argv  without the names of Node and of the script */
export function parseArgv(argv: readonly string[], version: string): ParsedArgv {
  if (argv.includes(COMPLETIONS)) return { kind: "print", text: askYargs(argv).output };
  const hostile = argv.filter(isReservedName);
  const { words, flags, complaint, output } = askYargs(normalizeArgv(argv.filter((word) => !isReservedName(word))));
  if (flags.has("help")) return { kind: "print", text: formatHelp() };
  if (flags.has("version")) return { kind: "print", text: version };

  const faults = [...hostile.map((word) => flagFault(quote(word), UNKNOWN)), ...checkWords(words)];
  const layer = new Map<string, string>();
  for (const [name, texts] of flags) {
    const flagFaults = checkFlag(name, texts);
    faults.push(...flagFaults);
    if (flagFaults.length === 0 && optionsByKey.has(name)) layer.set(name, texts.join(","));
  }
  // The values are read with those of the file, unless it ends here: then their faults are to be known too.
  if (faults.length > 0) faults.push(...findValueFaults(layerOfFlags(layer, absolutePath("/"))));
  // Nothing that yargs refuses is let through, even where we see nothing wrong with it.
  else if (complaint !== undefined) faults.push(flagFault(PROGRAM, complaint));
  if (faults.length > 0) return { kind: "faults", faults: arrangeFaults(faults) };

  if (words[0] === "completion") return { kind: "print", text: output };
  const command = RUN_COMMANDS.find((each) => each === words[0]) ?? "serve";
  return { kind: "run", command, layer, configFile: flags.get("config")?.[0] };
}

interface YargsAnswer {
  readonly words: readonly string[];
  /** By long name: each text that the flag was given, undefined where there was none. */
  readonly flags: ReadonlyMap<string, readonly (string | undefined)[]>;
  readonly complaint: string | undefined;
  readonly output: string;
}

function askYargs(argv: readonly string[]): YargsAnswer {
  let complaint: string | undefined;
  let output = "";
  const parser = yargs()
    .scriptName(PROGRAM)
    .locale("en")
    .parserConfiguration({
      "boolean-negation": false,
      "camel-case-expansion": false,
      "dot-notation": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
    })
    .command("serve", "serve a folder")
    .command("stop", "stop the server that the PID file names")
    .command("reload", "reload the configuration")
    .command("status", "show whether the server runs, and how")
    .command("tls", "terminate TLS for another server")
    .completion("completion", "print a completion script for the shell")
    .help(false)
    .version(false)
    .exitProcess(false)
    .showHelpOnFail(false)
    .strictOptions();
  for (const { key, short } of OWN_FLAGS) parser.option(key, { alias: short });
  for (const { key, option } of allOptions) {
    const alias = option.short === undefined ? {} : { alias: option.short };
    parser.option(key, { ...alias, describe: option.help });
  }
  const parsed: unknown = parser.parse([...argv], {}, (error, _parsed, text) => {
    complaint = error?.message;
    output = text;
  });
  const entries = typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : [];
  const flags = entries.filter(([name]) => name !== "_" && name !== "$0" && !SHORT_FLAGS.has(name));
  return {
    words: toList(entries.find(([name]) => name === "_")?.[1]).map(String),
    flags: new Map(
      flags.map(([name, value]) => [name, toList(value).map((each) => (each === true ? undefined : String(each)))]),
    ),
    complaint,
    output,
  };
}

const toList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);

/** yargs keeps its flags in plain objects, and stumbles over names that every object has, such as `constructor`. */
function isReservedName(word: string): boolean {
  const [, name] = /^--([^=]+)/.exec(word) ?? [];
  return name !== undefined && (name === "_" || name === "$0" || name in {});
}

function checkWords([command, ...rest]: readonly string[]): readonly Fault[] {
  if (command === undefined) return [];
  if (!COMMANDS.some((each) => each === command)) {
    const help = didYouMean(command, COMMANDS) || "; a folder to serve is given with -b";
    return [
      flagFault(quote(command), `unknown command: expected serve, stop, reload, status, tls or completion${help}`),
    ];
  }
  // Its command line is read by other rules, so it must be known from the first word.
  if (command === "tls") return [flagFault("tls", "expected it before every flag: comanche tls [options] PEM...")];
  return rest.map((word) => flagFault(quote(word), `expected only flags after ${command}`));
}

function checkFlag(name: string, texts: readonly (string | undefined)[]): readonly Fault[] {
  const flag = name.length === 1 ? `-${quote(name)}` : `--${quote(name)}`;
  const suggestion = didYouMean(name, LONG_FLAGS, (key) => `--${key}`);
  if (!LONG_FLAGS.has(name)) return [flagFault(flag, suggestion === "" ? UNKNOWN : `unknown option${suggestion}`)];
  const kind = optionsByKey.get(name)?.option.kind;
  if (texts.length > 1 && kind?.shape !== "list")
    return [flagFault(flag, `given ${texts.length} times: expected it once`)];
  const isMissing = texts.includes(undefined) || (name === "config" && texts.includes(""));
  return isMissing ? [flagFault(flag, `expected a value: ${flag} ${kind?.placeholder ?? "PATH"}`)] : [];
}

/**
 * The words of a command line with long flags only, and values joined to them where that matters. yargs would read `-p80`
 * and `-bhtdocs` as many letters, `--listing=no` as no value at all, and never a lone `-` as the value of a long flag.
 */
function normalizeArgv(argv: readonly string[]): readonly string[] {
  const words: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--") return [...words, ...argv.slice(at)];
    const next = argv[at + 1];
    const written = normalizeWord(word);
    const last = written.at(-1) ?? "";
    const takesDash = next === "-" && LONG_FLAGS.has(last.slice(2)) && !isSwitch(last.slice(2));
    const takesYesOrNo = isSwitch(word.slice(2)) && optionsByKey.has(word.slice(2)) && isYesOrNo(next);
    if (takesDash) words.push(...written.slice(0, -1), `${last}=-`);
    else if (takesYesOrNo) words.push(`${word}=${next}`);
    else words.push(...written);
    if (takesDash || takesYesOrNo) at++;
  }
  return words;
}

function normalizeWord(word: string): readonly string[] {
  if (/^-[A-Za-z]/.test(word)) return normalizeLetters(word.slice(1));
  if (!word.startsWith("--") || word.includes("=")) return [word];
  const name = word.slice(2);
  if (isSwitch(name)) return [`--${name}=yes`];
  const negated = name.replace(/^no-/, "");
  return negated !== name && isSwitch(negated) ? [`--${negated}=no`] : [word];
}

/** The first letter that takes a value takes the rest of the word, if there is any, and then the next word. */
function normalizeLetters(letters: string): readonly string[] {
  const words: string[] = [];
  for (const [index, letter] of [...letters].entries()) {
    const key = SHORT_FLAGS.get(letter);
    if (key === undefined) return [...words, `-${letter}`];
    if (!isSwitch(key)) {
      const rest = letters.slice(index + 1);
      return [...words, rest === "" ? `--${key}` : `--${key}=${rest.replace(/^=/, "")}`];
    }
    const isReversed = optionsByKey.get(key)?.option.shortSets === "no";
    words.push(`--${key}=${isReversed ? "no" : "yes"}`);
  }
  return words;
}

function isSwitch(key: string): boolean {
  return key === "help" || key === "version" || optionsByKey.get(key)?.option.kind.shape === "flag";
}

function isYesOrNo(word: string | undefined): boolean {
  return word !== undefined && flag.parse(word, absolutePath("/")).kind === "value";
}
