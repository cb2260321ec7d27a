/**
 * The options as people read them: `--help`, the shipped configuration file, and the tables of the manual.
 *
 * All of it is made from the option table, so none of it can be out of date. Neighbours that share one explanation (the
 * error pages) share a row.
 */
import { absolutePath } from "../base/absolute-path.ts";
import { escapeHtml } from "../base/html-text.ts";
import { allOptions, keyOf, type NamedOption, type Option, type Situation } from "./options.ts";
import { STUD_OPTIONS, type StudOption } from "./stud-options.ts";
import { ANNOUNCEMENTS, pemOption, TERMINATOR_HEADINGS } from "./terminator-options.ts";

/** The manual shows the defaults of an ordinary user. */
const SHOWN_SITUATION: Situation = { isRoot: false, htdocs: absolutePath("/htdocs") };

const HELP_WIDTH = 80;
const HELP_COLUMN = 28;
const COMMENT_WIDTH = 98;

const CONFIG_HELP =
  "configuration file; by default the first that exists of conf/comanche.conf, /usr/local/etc/comanche.conf and /etc/comanche.conf";
const VALUES_HELP =
  "Sizes: 512, 64k, 10m, 1g. Times: 500ms, 3, 3s, 5m, 1h. Instead of yes and no: on and off, true and false, 1 and 0. Commas separate the items of a list.";

/** What `comanche --help` prints. */
export function formatHelp(): string {
  const entries = mapHeadings((heading, rows) => ["", heading, ...rows.flatMap(helpEntry)]);
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
    ...helpLines("-c, --config PATH", CONFIG_HELP),
    ...helpLines("-V, --version", "print the version"),
    ...helpLines("-h, --help", "print this"),
    "",
    ...wrap(
      `Each option is also a key of the configuration file; a flag overrides the file. ${VALUES_HELP}`,
      HELP_WIDTH,
    ),
  ].join("\n");
}

/** The shipped configuration file: every option at its default, switched off by a semicolon. */
export function formatConf(): string {
  const entries = mapHeadings((heading, groups) => [
    "",
    comment(`${heading} ${"-".repeat(COMMENT_WIDTH - heading.length - 1)}`),
    ...groups.flatMap((rows) => ["", ...comments(confHelp(rows)), ...rows.map(confLine)]),
  ]);
  return [
    ...comments(
      "Comanche's configuration. Each option is at its default and switched off: remove the semicolon and change the value. A command line flag overrides this file.",
    ),
    "#",
    ...comments(
      `${VALUES_HELP} A relative path starts at the folder of this file, or at its parent if that folder is called conf.`,
    ),
    "#",
    ...comments(
      "A comment has a line of its own. An indented line continues the line above. %(key)s stands for the value of another key of the section or of [DEFAULT], and %% for a percent sign.",
    ),
    "",
    "[Main server configuration]",
    ...entries,
    "",
    "",
    ...comments("Media types by file extension. They override the built-in ones."),
    "[MIME types]",
    "# webmanifest = application/manifest+json",
    "",
    "",
    ...comments(
      `A virtual host: its options override those of the main server. It may have the options under ${siteHeadings().join(", ")}.`,
    ),
    "# [Virtual host www.example.org]",
    "# docbase = /srv/www.example.org",
    "# listing = no",
    "",
  ].join("\n");
}

/** The table of options for a README. */
export function formatMarkdownTable(): string {
  const rows = mapHeadings((heading, groups) => [
    `| **${heading}** | | |`,
    ...groups.map((rows) => {
      const cells = [rowFlags(rows).map(code).join(", "), markdown(defaultOf(rows)), markdown(helpOf(rows))];
      return `| ${cells.join(" | ")} |`;
    }),
  ]);
  return ["| option | default | meaning |", "|---|---|---|", ...rows].join("\n");
}

/** The same table for the site that is the manual. */
export function formatHtmlTable(): string {
  const bodies = mapHeadings((heading, groups) =>
    tableBody(
      heading,
      groups.map((rows) => ({ flags: rowFlags(rows), byDefault: defaultOf(rows), help: helpOf(rows) })),
    ),
  );
  return formatTable(bodies);
}

/** For the same site: the options of `comanche tls`, and what became of those that only stud had. */
export function formatTerminatorTable(): string {
  const pem = { flags: ["PEM…"], byDefault: "", help: `${pemOption.help}; in a section the key pem` };
  return formatTable([
    ...tableBody("Certificates", [pem]),
    ...TERMINATOR_HEADINGS.flatMap(([heading, rows]) =>
      tableBody(
        heading,
        Object.entries(rows).map(([property, option]) => ({
          flags: flagsOf(keyOf(property), option.short),
          byDefault: defaultInWords(option),
          help: option.help,
        })),
      ),
    ),
    ...tableBody(
      "What the backend receives before the first byte (at most one of these)",
      ANNOUNCEMENTS.map(({ key, help }) => ({ flags: flagsOf(key), byDefault: "no", help })),
    ),
    ...tableBody("Options of stud that are ignored", formerRows("ignored")),
    ...tableBody("Options of stud that are rejected", formerRows("refused")),
  ]);
}

function formerRows(fate: StudOption["fate"]): readonly TableRow[] {
  return STUD_OPTIONS.filter((each) => each.fate === fate).map(({ keys, short, sentence }) => {
    const [first, ...others] = keys;
    return { flags: [...flagsOf(first, short), ...others.map(longFlag)], byDefault: "", help: sentence };
  });
}

interface TableRow {
  readonly flags: readonly string[];
  readonly byDefault: string;
  readonly help: string;
}

function tableBody(heading: string, rows: readonly TableRow[]): readonly string[] {
  return [
    "<tbody>",
    `<tr><th colspan="3" scope="rowgroup">${escapeHtml(heading)}</th></tr>`,
    ...rows.map(({ flags, byDefault, help }) => {
      const codes = flags.map((flag) => `<code>${escapeHtml(flag)}</code>`).join(", ");
      return `<tr><td>${codes}</td><td>${escapeHtml(byDefault)}</td><td>${escapeHtml(help)}</td></tr>`;
    }),
    "</tbody>",
  ];
}

function formatTable(bodies: readonly string[]): string {
  const head =
    '<thead><tr><th scope="col">Option</th><th scope="col">Default</th><th scope="col">Meaning</th></tr></thead>';
  return ['<table class="options">', head, ...bodies, "</table>"].join("\n");
}

/**
 * Puts `table` between the lines `<!-- options -->` and `<!-- /options -->` of a page.
 *
 * @returns undefined when the page does not have both
 */
export function insertTable(page: string, table: string): string | undefined {
  const [begin, end] = ["<!-- options -->", "<!-- /options -->"];
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from + begin.length);
  if (from < 0 || to < 0) return undefined;
  return `${page.slice(0, from + begin.length)}\n${table}\n${page.slice(to)}`;
}

/** Options that share one explanation; there is at least one. */
type Row = readonly [NamedOption, ...NamedOption[]];

/** The lines of all headings, each made from its heading and the rows below it. */
function mapHeadings(format: (heading: string, rows: readonly Row[]) => readonly string[]): readonly string[] {
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

function siteHeadings(): readonly string[] {
  const ofSites = allOptions.filter((each) => each.scope === "site").map((each) => `"${each.heading}"`);
  return [...new Set(ofSites)];
}

/** `-p, --port`; of several options the first and the last. */
function rowFlags(row: Row): readonly string[] {
  const [first] = row;
  const last = row.at(-1) ?? first;
  if (last !== first) return [`--${first.key}`, "…", `--${last.key}`];
  const { short, shortSets } = first.option;
  return flagsOf(shortSets === "no" ? `no-${first.key}` : first.key, short);
}

function flagsOf(key: string, short?: string): readonly string[] {
  return short === undefined ? [longFlag(key)] : [`-${short}`, longFlag(key)];
}

function helpEntry(row: Row): readonly string[] {
  const [{ option }] = row;
  const placeholder = option.kind.shape === "flag" ? "" : ` ${option.kind.placeholder}`;
  const flags = rowFlags(row).join(", ").replaceAll(", …, ", " … ");
  const indent = option.short === undefined && row.length === 1 ? "    " : "";
  return helpLines(`${indent}${flags}${placeholder}`, `${option.help} [${defaultOf(row)}]`);
}

function helpLines(flags: string, help: string): readonly string[] {
  const text = wrap(help, HELP_WIDTH - HELP_COLUMN).map((line) => " ".repeat(HELP_COLUMN) + line);
  const label = `  ${flags}`;
  const [first = "", ...rest] = text;
  return label.length > HELP_COLUMN - 1 ? [label, ...text] : [label + first.slice(label.length), ...rest];
}

function defaultOf(row: Row): string {
  const words = row.map(({ key, option }) => {
    const value = defaultInWords(option);
    return row.length > 1 && value !== "" ? `${key}: ${value}` : value;
  });
  return words.filter((each) => each !== "").join(", ");
}

function defaultInWords(option: Option<unknown>): string {
  return option.defaultInWords ?? option.kind.format(option.defaultFor(SHOWN_SITUATION));
}

function helpOf([{ option, scope }]: Row): string {
  return scope === "site" ? `${option.help} (per site)` : option.help;
}

function confHelp([{ option }]: Row): string {
  return option.defaultInWords === undefined ? option.help : `${option.help} [${option.defaultInWords}]`;
}

function confLine({ key, option }: NamedOption): string {
  const value = option.written ?? option.kind.format(option.defaultFor(SHOWN_SITUATION));
  return `;${key} = ${value.replaceAll("%", "%%")}`.trimEnd();
}

const longFlag = (key: string): string => `--${key}`;
const comment = (line: string): string => `# ${line}`;
const comments = (text: string): readonly string[] => wrap(text, COMMENT_WIDTH).map(comment);
const code = (text: string): string => (text === "…" ? text : `\`${text}\``);
const markdown = (text: string): string => text.replace(/[\\|*_<>]/g, "\\$&");

/** Breaks at blanks; a word that is longer than the width has a line of its own. */
function wrap(text: string, width: number): readonly string[] {
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
