/**
 * What `comanche tls --help` prints, made from the options.
 */
import { absolutePath } from "../base/absolute-path.ts";
import { keyOf, type Option } from "./options.ts";
import { STUD_OPTIONS, type StudOption } from "./stud-options.ts";
import { ANNOUNCEMENTS, TERMINATOR_HEADINGS } from "./terminator-options.ts";

const WIDTH = 80;
const COLUMN = 32;

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
    "What the backend receives before the first byte (at most one of these)",
    ...ANNOUNCEMENTS.flatMap(({ key, help }) => entry({ key }, help)),
    "",
    "Other",
    ...entry({ short: "V", key: "version" }, "print the version"),
    ...entry({ short: "h", key: "help" }, "print this"),
    "",
    "Options of stud that are ignored, with a notice",
    ...formerEntries("ignored"),
    "",
    "Options of stud that are rejected, with the reason",
    ...formerEntries("refused"),
  ].join("\n");
}

interface Label {
  readonly short?: string | undefined;
  readonly key: string;
  readonly placeholder?: string | undefined;
}

function optionEntry(
  key: string,
  { kind, short, help, defaultFor, defaultInWords }: Option<unknown>,
): readonly string[] {
  if (kind.shape === "flag") return entry({ short, key }, help);
  const byDefault = defaultInWords ?? kind.format(defaultFor({ isRoot: false, htdocs: absolutePath("/") }));
  return entry({ short, key, placeholder: kind.placeholder }, `${help} [${byDefault}]`);
}

function formerEntries(fate: StudOption["fate"]): readonly string[] {
  return STUD_OPTIONS.filter((each) => each.fate === fate).map(({ keys: [key], short, placeholder }) =>
    label({ short, key, placeholder }),
  );
}

/** The text stands beside the flag where both have room, else below it. */
function entry(flag: Label, text: string): readonly string[] {
  const words = label(flag);
  const fits = words.length < COLUMN && COLUMN + text.length <= WIDTH;
  return fits ? [words.padEnd(COLUMN) + text] : [words, `          ${text}`];
}

function label({ short, key, placeholder }: Label): string {
  const letter = short === undefined ? "    " : `-${short}, `;
  return `  ${letter}--${key}${placeholder === undefined ? "" : ` ${placeholder}`}`;
}
