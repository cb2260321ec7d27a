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
    "comanche tls: ends TLS, and passes the bytes on to a backend",
    "",
    "  comanche tls [options] PEM...",
    "",
    "For example: comanche tls -f *,443 -b 127.0.0.1,8080 --write-proxy-v2 server.pem",
    "",
    "A PEM file holds a certificate, those that lead to its issuer, and the key. Of",
    "several files a client gets the one for the name it asks for, else the last.",
    ...TERMINATOR_HEADINGS.flatMap(([heading, rows]) => [
      "",
      heading,
      ...Object.entries(rows).flatMap(([property, option]) => optionEntry(keyOf(property), option)),
    ]),
    "",
    "What the backend is told ahead of the first byte (one of them)",
    ...ANNOUNCEMENTS.flatMap(({ key, help }) => entry({ key }, help)),
    "",
    "Other",
    ...entry({ short: "V", key: "version" }, "print the version"),
    ...entry({ short: "h", key: "help" }, "print this"),
    "",
    "Options of stud that have no effect, and say so",
    ...formerEntries("ignored"),
    "",
    "Options of stud that are refused, and say why",
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
