/**
 * The kinds of value an option can have: how each is read from text, what to say when it cannot be, and how it is written.
 * Text has no blanks at its ends, and several lines where a configuration file continues a value.
 */
import { resolve } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { type IpRange, parseIpRange } from "../base/ip-range.ts";
import { nearestName } from "../base/nearest-name.ts";
import { type Bytes, bytes, type Milliseconds, milliseconds } from "../base/units.ts";
import { formatListenAddress, type ListenAddress, parseHostName, parseListenAddress } from "./listen-address.ts";

export type Parsed<Value> =
  | { readonly kind: "value"; readonly value: Value }
  /** `expects` completes the sentence "expected …". */
  | { readonly kind: "fault"; readonly expects: string };

export interface OptionKind<Value> {
  /** A flag may stand on the command line without a value; a list may be given there several times. */
  readonly shape: "flag" | "single" | "list";
  /** Stands for the value in the help: `FILE`. */
  readonly placeholder: string;
  /** @param folder  what a relative path in `text` is relative to */
  parse(text: string, folder: AbsolutePath): Parsed<Value>;
  format(value: Value): string;
}

/** A log is written to a file, or to standard output (`-`). */
export type LogTarget = AbsolutePath | "-";

export const found = <Value>(value: Value): Parsed<Value> => ({ kind: "value", value });
export const fault = (expects: string): Parsed<never> => ({ kind: "fault", expects });

export function single<Value>(
  placeholder: string,
  parse: OptionKind<Value>["parse"],
  format: (value: Value) => string = String,
): OptionKind<Value> {
  return { shape: "single", placeholder, parse, format };
}

/** One line of text that is kept as it is. */
export function textLike(placeholder: string, pattern: RegExp, expects: string): OptionKind<string> {
  return single(placeholder, (text) => (pattern.test(text) ? found(text) : fault(expects)));
}

const TRUE_WORDS: ReadonlySet<string> = new Set(["yes", "on", "true", "1"]);
const FALSE_WORDS: ReadonlySet<string> = new Set(["no", "off", "false", "0"]);

export const flag: OptionKind<boolean> = {
  shape: "flag",
  placeholder: "yes|no",
  parse(text) {
    const word = text.toLowerCase();
    if (TRUE_WORDS.has(word)) return found(true);
    return FALSE_WORDS.has(word) ? found(false) : fault("yes or no");
  },
  format: (value) => (value ? "yes" : "no"),
};

export function wholeNumber(least: number, most: number): OptionKind<number> {
  return single("N", (text) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? found(value) : fault(`a whole number from ${least} to ${most}`);
  });
}

/** A number, or `auto`: the server chooses. */
export function orAuto(kind: OptionKind<number>): OptionKind<number | "auto"> {
  const isAuto = (text: string): boolean => text.toLowerCase() === "auto";
  return { ...withWord(kind, "auto" as const, isAuto, "auto", "auto"), placeholder: `auto|${kind.placeholder}` };
}

/** The permission bits of a file, as chmod(1) writes them: `660`. */
export const fileMode: OptionKind<number> = single(
  "MODE",
  (text) => (/^0?[0-7]{3}$/.test(text) ? found(Number.parseInt(text, 8)) : fault("three octal digits, such as 660")),
  (mode) => mode.toString(8).padStart(3, "0"),
);

/** A user or a group of the system: its name, or its number. */
export const accountName = textLike(
  "NAME",
  /^([A-Za-z_][\w.@-]*\$?|[0-9]{1,10})$/,
  "the name or the number of an account",
);

/** 0 lets the system choose a free one. */
export const tcpPort = wholeNumber(0, 65535);

const SIZE_UNITS = [
  ["g", 1024 ** 3],
  ["m", 1024 ** 2],
  ["k", 1024],
] as const;

export const formatSize = (size: Bytes): string => withUnit(size, SIZE_UNITS, "");

/** `512`, `64k`, `10m`, `1g`: bytes, or units of 1024, 1024² and 1024³ bytes. */
export function size(least: number, most = Number.MAX_SAFE_INTEGER): OptionKind<Bytes> {
  const bounds = `from ${formatSize(bytes(least))} to ${formatSize(bytes(most))}, `;
  const expects = `a size ${most === Number.MAX_SAFE_INTEGER ? "" : bounds}such as 512, 64k or 10m`;
  const parse = (text: string) => {
    const value = readWithUnit(text.toLowerCase(), SIZE_UNITS, 1);
    return value >= least && value <= most ? found(bytes(value)) : fault(expects);
  };
  return single("SIZE", parse, formatSize);
}

const TIME_UNITS = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

export const formatDuration = (time: Milliseconds): string => withUnit(time, TIME_UNITS, "s");

/** `500ms`, `3` and `3s`, `5m`, `1h`; the bounds are in milliseconds. */
export function duration(least: number, most: number): OptionKind<Milliseconds> {
  const [from, to] = [formatDuration(milliseconds(least)), formatDuration(milliseconds(most))];
  const expects = `a time from ${from} to ${to}, such as 500ms, 3s or 5m`;
  const parse = (text: string) => {
    const value = readWithUnit(text.toLowerCase(), TIME_UNITS, 1000);
    return value >= least && value <= most ? found(milliseconds(value)) : fault(expects);
  };
  return single("TIME", parse, formatDuration);
}

type Units = readonly (readonly [suffix: string, factor: number])[];

/** @returns NaN, which lies between no bounds, for anything but digits and a unit */
function readWithUnit(text: string, units: Units, factorWithoutUnit: number): number {
  const [, digits, suffix = ""] = /^([0-9]{1,15})([a-z]*)$/.exec(text) ?? [];
  const factor = suffix === "" ? factorWithoutUnit : units.find(([name]) => name === suffix)?.[1];
  return Number(digits) * (factor ?? Number.NaN);
}

function withUnit(value: number, units: Units, unitOfZero: string): string {
  if (value === 0) return `0${unitOfZero}`;
  const [suffix, factor] = units.find(([, each]) => value % each === 0) ?? ["", 1];
  return `${value / factor}${suffix}`;
}

/** One of a few words; the case of letters does not matter. */
export function choice<Word extends string>(...words: readonly Word[]): OptionKind<Word> {
  return single(words.join("|"), (text) => {
    const word = words.find((each) => each === text.toLowerCase());
    if (word !== undefined) return found(word);
    const nearest = nearestName(text.toLowerCase(), words);
    return fault(`one of ${words.join(", ")}${nearest === undefined ? "" : ` (did you mean ${nearest}?)`}`);
  });
}

/** One of a few numbers. */
export function numberChoice<Each extends number>(...numbers: readonly Each[]): OptionKind<Each> {
  return single(numbers.join("|"), (text) => {
    const value = numbers.find((each) => String(each) === text);
    return value === undefined ? fault(`one of ${numbers.join(", ")}`) : found(value);
  });
}

/** The empty text stands for "none". */
export const optional = <Value>(kind: OptionKind<Value>) =>
  withWord(kind, undefined, (text) => text === "", "nothing", "");

/** A value that can be turned off with `no`. */
export const orNo = <Value>(kind: OptionKind<Value>) =>
  withWord(kind, undefined, (text) => FALSE_WORDS.has(text.toLowerCase()), "no", "no");

/** A kind with one value more. @param word  what a fault calls that value; it is formatted as `written` */
function withWord<Value, More extends string | undefined>(
  kind: OptionKind<Value>,
  more: More,
  isMore: (text: string) => boolean,
  word: string,
  written: string,
): OptionKind<Value | More> {
  return {
    ...kind,
    parse(text, folder) {
      if (isMore(text)) return found(more);
      const parsed = kind.parse(text, folder);
      return parsed.kind === "value" ? parsed : fault(`${parsed.expects}, or ${word}`);
    },
    format: (value) => (value === more ? written : kind.format(value as Value)),
  };
}

/** Changes a value after it was read. */
function reading<From, To>(parse: OptionKind<From>["parse"], change: (value: From) => To): OptionKind<To>["parse"] {
  return (text, folder) => {
    const parsed = parse(text, folder);
    return parsed.kind === "value" ? found(change(parsed.value)) : parsed;
  };
}

/** Text that may be empty, which means that nothing is sent. */
export function orEmpty(kind: OptionKind<string>): OptionKind<string> {
  return { ...kind, parse: reading(optional(kind).parse, (text) => text ?? "") };
}

export const filePath: OptionKind<AbsolutePath> = single("PATH", (text, folder) => {
  if (text === "" || hasControls(text)) return fault("a path");
  return found(absolutePath(resolve(folder, text)));
});

/** A folder to be shut in. `/` is no such folder, and reads as nothing. */
export const rootFolder: OptionKind<AbsolutePath | undefined> = {
  ...optional(filePath),
  parse: reading(optional(filePath).parse, (path) => (path === "/" ? undefined : path)),
};

export const logTarget: OptionKind<LogTarget> = single<LogTarget>("FILE", (text, folder) => {
  if (text === "-") return found("-");
  if (text === "" || text.endsWith("/") || hasControls(text))
    return fault("the path of a file, or - for the standard output");
  return found(absolutePath(resolve(folder, text)));
});

/** A path as it stands in a URL, below the site's document root: `/errors/404.html`. */
export const urlPath: OptionKind<string> = single("PATH", (text) => {
  const segments = text.split("/");
  const isWhole = /^(\/([\w!$&'()*+,;=:@~.-]|%[0-9a-f]{2})+)+$/i.test(text);
  const climbs = segments.some((segment) => /^(\.|%2e){1,2}$/i.test(segment));
  const smuggles = /%(00|2f|5c)/i.test(text);
  if (isWhole && !climbs && !smuggles) return found(text);
  return fault("the URL path of a file below docbase, such as /404.html");
});

/** A directory that is relative to something known later, such as a site's docbase. */
export const directoryName: OptionKind<string> = single("DIR", (text) =>
  text !== "" && !text.includes("\0") ? found(text) : fault("the path of a directory"),
);

/** The value of a Server field: what RFC 9110 §5.5 allows, as far as it is ASCII. */
export const fieldText = textLike("TEXT", /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, "one line of ASCII text");

/** The name of a character encoding (RFC 2978 §2.3). */
export const charsetName = textLike(
  "NAME",
  /^[A-Za-z0-9][\w!#$%&'+^`{}~.-]{0,39}$/,
  "the name of a character encoding, such as utf-8",
);

/** Names as OpenSSL writes them, colons between: ciphers, suites or groups. Whether it knows them shows when they are used. */
export const opensslNames = textLike(
  "NAMES",
  /^[A-Za-z0-9!+@=_.-]+(:[A-Za-z0-9!+@=_.-]+)*$/,
  "OpenSSL names separated by colons",
);

/** `text` is kept beside what it means, to be written down again. */
export interface NamedRange {
  readonly text: string;
  readonly range: IpRange;
}

export const ipRange: OptionKind<NamedRange> = single(
  "RANGE",
  (text) => {
    const range = parseIpRange(text);
    return range === undefined
      ? fault("an IP address, a CIDR range such as 192.0.2.0/24 without host bits, or unix")
      : found({ text, range });
  },
  ({ text }) => text,
);

export const hostName: OptionKind<string> = single("NAME", (text) => {
  const name = parseHostName(text);
  return name === undefined ? fault("a host name or an IP address, without port") : found(name);
});

export const listenAddress: OptionKind<ListenAddress> = single(
  "ADDR",
  (text) => {
    const address = parseListenAddress(text);
    return address === undefined ? fault("an IPv4 or IPv6 address, a host name, * or unix:/path") : found(address);
  },
  formatListenAddress,
);

/** `html` or `.html`; kept in lower case without the dot. */
export const extension: OptionKind<string> = single("EXT", (text) => {
  const name = text.toLowerCase().replace(/^\./, "");
  return /^[^\s/\\.,]+$/.test(name) && !hasControls(name) ? found(name) : fault("a file extension such as html");
});

/** The name of a file, without folders. */
export const fileName: OptionKind<string> = single("NAME", (text) => {
  const isName = /^[^/\\,]+$/.test(text) && text !== "." && text !== ".." && !hasControls(text);
  return isName ? found(text) : fault("a file name without folders, such as index.html");
});

/** Values separated by commas or line ends; a comma may also end a line. The empty text is the empty list. */
export function listOf<Value>(kind: OptionKind<Value>): OptionKind<readonly Value[]> {
  return {
    shape: "list",
    placeholder: `${kind.placeholder},…`,
    parse(text, folder) {
      if (text.trim() === "") return found([]);
      const values: Value[] = [];
      for (const part of text.trim().split(/,[ \t]*\n|[,\n]/)) {
        const parsed = kind.parse(part.trim(), folder);
        if (parsed.kind === "fault") return fault(`a list of values separated by commas, each ${parsed.expects}`);
        values.push(parsed.value);
      }
      return found(values);
    },
    format: (values) => values.map((value) => kind.format(value)).join(", "),
  };
}

/** Like `listOf`, with at least one value in it; `no` is the empty list. */
export function listOrNo<Value>(kind: OptionKind<Value>): OptionKind<readonly Value[]> {
  const list = orNo(listOf(kind));
  const parse = reading(list.parse, (values) => values ?? []);
  return {
    ...list,
    parse: (text, folder) => parse(text.trim() === "" ? "," : text, folder),
    format: (values) => list.format(values.length === 0 ? undefined : values),
  };
}

function hasControls(text: string): boolean {
  return /[\u0000-\u001f\u007f]/.test(text);
}
