/**
 * The words of a command line, written out so that yargs cannot take them in another sense.
 *
 * It would read `-p80` and `-bhtdocs` as many letters, `--listing=no` as no value at all, and never a lone `-` as the
 * value of a long flag. So letters become long flags, and a value that stands apart is joined where that matters.
 */
import { absolutePath } from "../base/absolute-path.ts";
import { flag } from "./option-kinds.ts";
import { allOptions, optionsByKey } from "./options.ts";

/** The flags that are no options of the server. */
export const OWN_FLAGS = [
  { key: "config", short: "c" },
  { key: "version", short: "V" },
  { key: "help", short: "h" },
] as const;

/** Every long flag. */
export const LONG_FLAGS: ReadonlySet<string> = new Set([...OWN_FLAGS.map(({ key }) => key), ...optionsByKey.keys()]);

/** The long flag of each letter. */
export const SHORT_FLAGS: ReadonlyMap<string, string> = new Map(
  [...OWN_FLAGS, ...allOptions.map(({ key, option }) => ({ key, short: option.short }))].flatMap(({ key, short }) =>
    short === undefined ? [] : [[short, key] as const],
  ),
);

export function normalizeArgv(argv: readonly string[]): readonly string[] {
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
