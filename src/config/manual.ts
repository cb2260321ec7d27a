/**
 * The options as people read them, made from the option tables: the shipped configuration file and the manual's tables.
 */
import { escapeHtml } from "../base/html.ts";
import {
  BACKEND_HEADING,
  defaultInWords,
  defaultOf,
  flagsOf,
  formatDefault,
  longFlag,
  mapHeadings,
  type Row,
  rowFlags,
  VALUES_HELP,
  wrap,
} from "./help.ts";
import { allOptions, keyOf, type NamedOption } from "./options.ts";
import { ANNOUNCEMENTS, pemOption, STUD_OPTIONS, type StudOption, TERMINATOR_HEADINGS } from "./terminator-options.ts";

const COMMENT_WIDTH = 98;

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
      BACKEND_HEADING,
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

/** Puts `table` between `<!-- options -->` and `<!-- /options -->`; undefined when the page does not have both. */
export function insertTable(page: string, table: string): string | undefined {
  const [begin, end] = ["<!-- options -->", "<!-- /options -->"];
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from + begin.length);
  if (from < 0 || to < 0) return undefined;
  return `${page.slice(0, from + begin.length)}\n${table}\n${page.slice(to)}`;
}

function siteHeadings(): readonly string[] {
  const ofSites = allOptions.filter((each) => each.scope === "site").map((each) => `"${each.heading}"`);
  return [...new Set(ofSites)];
}

function helpOf([{ option, scope }]: Row): string {
  return scope === "site" ? `${option.help} (per site)` : option.help;
}

function confHelp([{ option }]: Row): string {
  const words = defaultInWords(option);
  return words === "" || words === formatDefault(option) ? option.help : `${option.help} [${words}]`;
}

function confLine({ key, option }: NamedOption): string {
  const value = option.written ?? formatDefault(option);
  return `;${key} = ${value.replaceAll("%", "%%")}`.trimEnd();
}

const comment = (line: string): string => `# ${line}`;
const comments = (text: string): readonly string[] => wrap(text, COMMENT_WIDTH).map(comment);
const code = (text: string): string => (text === "…" ? text : `\`${text}\``);
const markdown = (text: string): string => text.replace(/[\\|*_<>]/g, "\\$&");
