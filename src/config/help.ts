/**
 * What `comanche --help` and `comanche tls --help` print, made from the option tables, and the words that the manual shares
 * with them. Neighbours that share one explanation (the error pages) share a row.
 */
import { absolutePath } from "../base/absolute-path.ts";
import { allOptions, keyOf, type NamedOption, type Option, type Situation } from "./options.ts";
import { ANNOUNCEMENTS, STUD_OPTIONS, type StudOption, TERMINATOR_HEADINGS } from "./terminator-options.ts";

/** The manual shows the defaults of an ordinary user. */
const SHOWN_SITUATION: Situation = { isRoot: false, htdocs: absolutePath("/htdocs") };

const WIDTH = 80;
/** Where the text beside a flag begins. */
const COLUMN = 28;

const CONFIG_HELP =
  "configuration file; by default the first that exists of conf/comanche.conf, /usr/local/etc/comanche.conf and /etc/comanche.conf";
export const VALUES_HELP =
  "Sizes: 512, 64k, 10m, 1g. Times: 500ms, 3, 3s, 5m, 1h. Instead of yes and no: on and off, true and false, 1 and 0. Commas separate the items of a list.";
export const BACKEND_HEADING = "What the backend receives before the first byte (at most one of these)";

/** What `comanche --help` prints. */
export function formatHelp(): string {
  const entries = mapHeadings((heading, rows) => ["", heading, ...rows.flatMap(rowEntry)]);
  return [
    "comanche: a static-file HTTP/1.1 web server with name-based virtual hosts",
    "",
    "  comanche [serve] [options]   serve a folder; serve may be left out",
    "  comanche stop [options]      stop the server that the PID file names",
    "  comanche reload [options]    reload the configuration",
    "  comanche status [options]    show whether the server runs, and how",
    "  comanche tls [options] PEM... terminate TLS (see comanche tls --help)",
    "  comanche completion          print a completion script for the shell",
    "",
    "For example: comanche -a 0.0.0.0 -p 8080 -b htdocs",
    ...entries,
    "",
    "Other",
    ...entry(label("config", "c", "PATH"), CONFIG_HELP),
    ...entry(label("version", "V"), "print the version"),
    ...entry(label("help", "h"), "print this"),
    "",
    ...wrap(`Each option is also a key of the configuration file; a flag overrides the file. ${VALUES_HELP}`, WIDTH),
  ].join("\n");
}

/** What `comanche tls --help` prints. */
export function formatTerminatorHelp(): string {
  return [
    "comanche tls: terminates TLS and forwards the bytes to a backend",
    "",
    "  comanche tls [options] PEM...",
    "",
    "For example: comanche tls -f *,443 -b 127.0.0.1,8080 --write-proxy-v2 server.pem",
    "",
    "A PEM file holds a certificate, its chain and its key. Of several files, the SNI",
    "name chooses one; if none matches, the last one is used.",
    ...TERMINATOR_HEADINGS.flatMap(([heading, rows]) => [
      "",
      heading,
      ...Object.entries(rows).flatMap(([property, option]) => optionEntry(keyOf(property), option)),
    ]),
    "",
    BACKEND_HEADING,
    ...ANNOUNCEMENTS.flatMap(({ key, help }) => entry(label(key), help)),
    "",
    "Other",
    ...entry(label("version", "V"), "print the version"),
    ...entry(label("help", "h"), "print this"),
    "",
    "Options of stud that are ignored, with a notice",
    ...studEntries("ignored"),
    "",
    "Options of stud that are rejected, with the reason",
    ...studEntries("refused"),
  ].join("\n");
}

function rowEntry(row: Row): readonly string[] {
  const [{ option }] = row;
  const placeholder = option.kind.shape === "flag" ? "" : ` ${option.kind.placeholder}`;
  const flags = rowFlags(row).join(", ").replaceAll(", …, ", " … ");
  const indent = option.short === undefined && row.length === 1 ? "    " : "";
  return entry(`${indent}${flags}${placeholder}`, `${option.help} [${defaultOf(row)}]`);
}

function optionEntry(key: string, option: Option<unknown>): readonly string[] {
  const { kind, short, help } = option;
  if (kind.shape === "flag") return entry(label(key, short), help);
  return entry(label(key, short, kind.placeholder), `${help} [${defaultInWords(option)}]`);
}

function studEntries(fate: StudOption["fate"]): readonly string[] {
  return STUD_OPTIONS.filter((each) => each.fate === fate).map(
    ({ keys: [key], short, placeholder }) => `  ${label(key, short, placeholder)}`,
  );
}

function label(key: string, short?: string, placeholder?: string): string {
  const flag = short === undefined ? `    ${longFlag(key)}` : flagsOf(key, short).join(", ");
  return placeholder === undefined ? flag : `${flag} ${placeholder}`;
}

/** The text stands beside the flag where that has room for it, else below. */
function entry(flag: string, help: string): readonly string[] {
  const text = wrap(help, WIDTH - COLUMN).map((line) => " ".repeat(COLUMN) + line);
  const begun = `  ${flag}`;
  const [first = "", ...rest] = text;
  return begun.length > COLUMN - 1 ? [begun, ...text] : [begun + first.slice(begun.length), ...rest];
}

/** Options that share one explanation; there is at least one. */
export type Row = readonly [NamedOption, ...NamedOption[]];

/** The lines of all headings, each made from its heading and the rows below it. */
export function mapHeadings(format: (heading: string, rows: readonly Row[]) => readonly string[]): readonly string[] {
  const headings = new Map<string, [NamedOption, ...NamedOption[]][]>();
  for (const each of allOptions) {
    const rows = headings.get(each.heading) ?? [];
    headings.set(each.heading, rows);
    const last = rows.at(-1);
    if (last?.[0].option.help === each.option.help) last.push(each);
    else rows.push([each]);
  }
  return [...headings].flatMap(([heading, rows]) => format(heading, rows));
}

/** `-p, --port`; of several options the first and the last. */
export function rowFlags(row: Row): readonly string[] {
  const [first] = row;
  const last = row.at(-1) ?? first;
  if (last !== first) return [`--${first.key}`, "…", `--${last.key}`];
  const { short, shortSets } = first.option;
  return flagsOf(shortSets === "no" ? `no-${first.key}` : first.key, short);
}

export function flagsOf(key: string, short?: string): readonly string[] {
  return short === undefined ? [longFlag(key)] : [`-${short}`, longFlag(key)];
}

export function defaultOf(row: Row): string {
  const words = row.map(({ key, option }) => {
    const value = defaultInWords(option);
    return row.length > 1 && value !== "" ? `${key}: ${value}` : value;
  });
  return words.filter((each) => each !== "").join(", ");
}

export function defaultInWords(option: Option<unknown>): string {
  return option.defaultInWords ?? (formatDefault(option) || "none");
}

export function formatDefault({ kind, defaultFor }: Option<unknown>): string {
  return kind.format(defaultFor(SHOWN_SITUATION));
}

export const longFlag = (key: string): string => `--${key}`;

/** Breaks at blanks; a word that is longer than the width has a line of its own. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
