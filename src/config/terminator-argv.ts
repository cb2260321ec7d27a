/**
 * The command line of `comanche tls`, as getopt_long(3) reads it, because that is how stud's users write it. Every word that
 * is no flag is a PEM file.
 */
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { buildSettings } from "./build-settings.ts";
import { checkChroot } from "./cross-checks.ts";
import { arrangeFaults, didYouMean, type Fault, flagFault, quote } from "./fault.ts";
import { NO_FILE } from "./file-sections.ts";
import { formatTerminatorHelp } from "./help.ts";
import { faultsAt, LayerReader } from "./layer.ts";
import { layerOfFlags } from "./load.ts";
import { filePath } from "./option-kinds.ts";
import { keyOf } from "./options.ts";
import type { Settings } from "./settings.ts";
import {
  ANNOUNCEMENTS,
  STUD_OPTIONS,
  TERMINATOR_HEADINGS,
  type TerminatorProcessSettings,
  terminatorProcessOptions,
} from "./terminator-options.ts";
import { ANY_SITUATION, missingPem, needsPem, readTerminator, type TerminatorSettings } from "./terminator-settings.ts";

export type ParsedTerminatorArgv =
  | {
      readonly kind: "settings";
      readonly terminator: TerminatorSettings;
      readonly process: TerminatorProcessSettings;
      /** One line each, for the operator: what was asked for and has no effect. */
      readonly notices: readonly string[];
    }
  | { readonly kind: "faults"; readonly faults: readonly Fault[] }
  /** For the standard output; the last line feed is still to be added. */
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" };

const PROGRAM = "comanche tls";
const UNKNOWN = `unknown option: ${PROGRAM} --help lists them all`;

/**
 * @param argv  what follows `tls`
 * @param folder  what a relative path is relative to
 */
export function parseTerminatorArgv(argv: readonly string[], folder: AbsolutePath): ParsedTerminatorArgv {
  const { texts, words, faults: wordFaults } = splitWords(argv);
  if (texts.has("help")) return { kind: "help", text: formatTerminatorHelp() };
  if (texts.has("version")) return { kind: "version" };

  const layer = layerOfFlags(new Map([...texts].map(([key, all]) => [key, all.at(-1) ?? ""])), folder);
  const faults: Fault[] = [...wordFaults, ...findRepeated(texts)];
  const reader = new LayerReader(layer, ANY_SITUATION, faults);
  const terminator = readTerminator(layer, readPemFiles(words, folder, faults), reader, faults);
  const asked = reader.readRows(terminatorProcessOptions);
  // A daemon's output is not seen.
  const process = { ...asked, quiet: asked.quiet || asked.daemon, syslog: asked.syslog || asked.daemon };
  const former = STUD_OPTIONS.filter(({ keys }) => keys.some((key) => texts.has(key)));
  for (const { keys, fate, sentence } of former) {
    if (fate === "refused") faults.push(flagFault(`--${keys[0]}`, sentence));
  }
  faults.push(...faultsAt([checkChroot(process)], layer, reader.unreadable));
  if (words.length === 0 && needsPem(terminator)) faults.push(missingPem(PROGRAM));
  if (faults.length > 0) return { kind: "faults", faults: arrangeFaults(faults) };
  const notices = former.map(({ keys, sentence }) => `--${keys[0]}: ${sentence}`);
  return { kind: "settings", terminator, process, notices };
}

/** What the command line may say. */
interface Flag {
  readonly key: string;
  readonly short: string | undefined;
  /** Undefined for a switch. */
  readonly placeholder: string | undefined;
  readonly mayRepeat: boolean;
}

const FLAGS: readonly Flag[] = [
  ...TERMINATOR_HEADINGS.flatMap(([, rows]) =>
    Object.entries(rows).map(([property, { short, kind }]) => {
      const placeholder = kind.shape === "flag" ? undefined : kind.placeholder;
      return { key: keyOf(property), short, placeholder, mayRepeat: false };
    }),
  ),
  ...ANNOUNCEMENTS.map(({ key }) => ({ key, short: undefined, placeholder: undefined, mayRepeat: false })),
  ...STUD_OPTIONS.flatMap(({ keys, short, placeholder }) =>
    keys.map((key, index) => ({ key, short: index === 0 ? short : undefined, placeholder, mayRepeat: true })),
  ),
  { key: "version", short: "V", placeholder: undefined, mayRepeat: true },
  { key: "help", short: "h", placeholder: undefined, mayRepeat: true },
];
const FLAGS_BY_KEY: ReadonlyMap<string, Flag> = new Map(FLAGS.map((each) => [each.key, each]));
const FLAGS_BY_LETTER: ReadonlyMap<string, Flag> = new Map(
  FLAGS.flatMap((each) => (each.short === undefined ? [] : [[each.short, each] as const])),
);

interface SplitWords {
  /** By long name: each text that the flag was given; `yes` for a switch. */
  readonly texts: ReadonlyMap<string, readonly string[]>;
  /** What is no flag. */
  readonly words: readonly string[];
  readonly faults: readonly Fault[];
}

function splitWords(argv: readonly string[]): SplitWords {
  const texts = new Map<string, string[]>();
  const words: string[] = [];
  const faults: Fault[] = [];
  let at = 0;

  /** @param inline  what is joined to the flag, if anything is; otherwise the value is the next word */
  const take = ({ key, placeholder }: Flag, inline: string | undefined): void => {
    let text = inline;
    if (text === undefined && placeholder === undefined) text = "yes";
    const next = argv[at];
    if (text === undefined && next !== undefined && !isFlag(next)) {
      text = next;
      at++;
    }
    if (text === undefined) faults.push(flagFault(`--${key}`, `expected a value: --${key} ${placeholder}`));
    else texts.set(key, [...(texts.get(key) ?? []), text]);
  };

  while (at < argv.length) {
    const word = argv[at++] ?? "";
    if (word === "--") {
      words.push(...argv.slice(at));
      break;
    }
    if (word.startsWith("--")) {
      const [, name = "", inline] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
      const known = FLAGS_BY_KEY.get(name);
      if (known === undefined) faults.push(unknownFlag(name));
      else take(known, inline);
    } else if (isFlag(word)) {
      for (let letters = word.slice(1); letters !== ""; ) {
        const [letter = ""] = letters;
        const known = FLAGS_BY_LETTER.get(letter);
        const rest = letters.slice(letter.length);
        letters = known?.placeholder === undefined ? rest : "";
        if (known === undefined) {
          faults.push(flagFault(`-${quote(letter)}`, UNKNOWN));
          break;
        }
        take(known, known.placeholder === undefined || rest === "" ? undefined : rest.replace(/^=/, ""));
      }
    } else words.push(word);
  }
  return { texts, words, faults };
}

/** A negative number is a value, to be refused as one; a lone dash is no flag. */
function isFlag(word: string): boolean {
  return /^-[^0-9]/.test(word);
}

function unknownFlag(name: string): Fault {
  const suggestion = didYouMean(name, FLAGS_BY_KEY.keys(), (key) => `--${key}`);
  return flagFault(`--${quote(name)}`, suggestion === "" ? UNKNOWN : `unknown option${suggestion}`);
}

function findRepeated(texts: SplitWords["texts"]): readonly Fault[] {
  return [...texts].flatMap(([key, all]) => {
    if (all.length === 1 || FLAGS_BY_KEY.get(key)?.mayRepeat) return [];
    return [flagFault(`--${key}`, `given ${all.length} times: expected it once`)];
  });
}

function readPemFiles(words: readonly string[], folder: AbsolutePath, faults: Fault[]): readonly AbsolutePath[] {
  return words.flatMap((word) => {
    const parsed = filePath.parse(word, folder);
    if (parsed.kind === "value" && word !== "-") return [parsed.value];
    faults.push(flagFault(word === "" ? '""' : quote(word), "expected the path of a PEM file"));
    return [];
  });
}

/** The only terminator has no name of its own. */
const TERMINATOR_NAME = "tls";

/** `comanche tls` as settings of a server: one without a site. */
export function settingsOfTerminator(terminator: TerminatorSettings, process: TerminatorProcessSettings): Settings {
  const built = buildSettings({ flags: new Map(), file: NO_FILE, situation: ANY_SITUATION, configFile: undefined });
  const settings = built.kind === "settings" ? built.settings : built.readable;
  const { workers, test: _, ...others } = process;
  return {
    ...settings,
    server: {
      ...settings.server,
      ...others,
      address: [],
      processes: workers,
      logfile: absolutePath("/dev/null"),
    },
    terminators: new Map([[TERMINATOR_NAME, terminator]]),
    // What is set here is not to give way to something better.
    sources: new Map([...settings.sources, ["daemon", "comanche tls"], ["logfile", "comanche tls"]]),
  };
}
