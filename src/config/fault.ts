/**
 * What is wrong with a command line or a configuration file. A fault is a value: reading goes on after it, so that all of
 * them are reported at once.
 */
import { nearestName } from "../base/nearest-name.ts";

export type Fault =
  /** `flag` as it was given: `--port=eighty`. */
  | { readonly kind: "flag"; readonly flag: string; readonly problem: string }
  | { readonly kind: "file"; readonly position: Position; readonly problem: string };

/** A line of a file, which is named as its user knows it. Line 0 is the file as a whole. */
export interface Position {
  readonly file: string;
  readonly line: number;
}

export const flagFault = (flag: string, problem: string): Fault => ({ kind: "flag", flag, problem });
export const fileFault = (position: Position, problem: string): Fault => ({ kind: "file", position, problem });

/** One line, without a full stop: `conf/comanche.conf:12: [main] port = eighty: expected a whole number from 0 to 65535`. */
export function formatFault(fault: Fault): string {
  return `${fault.kind === "flag" ? fault.flag : formatPosition(fault.position)}: ${fault.problem}`;
}

export function formatPosition(position: Position): string {
  return position.line === 0 ? position.file : `${position.file}:${position.line}`;
}

/** In the order in which they are best mended: flags first, then the file from top to bottom; none twice. */
export function arrangeFaults(faults: readonly Fault[]): readonly Fault[] {
  const distinct = new Map(faults.map((fault) => [formatFault(fault), fault]));
  return [...distinct.values()].toSorted((one, other) => lineOf(one) - lineOf(other));
}

const lineOf = (fault: Fault): number => (fault.kind === "flag" ? -1 : fault.position.line);

const MAX_QUOTED_LENGTH = 72;

/** Text from outside, fit for one line on a terminal: control characters escaped, what is too long cut. */
export function quote(text: string): string {
  const head = text.length > MAX_QUOTED_LENGTH ? `${text.slice(0, MAX_QUOTED_LENGTH)}…` : text;
  return head.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) =>
    character === "\n" ? "\\n" : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** ` (did you mean indexfiles?)`, or nothing when no known name is near. */
export function didYouMean(wanted: string, known: Iterable<string>, format = (name: string) => name): string {
  const nearest = nearestName(wanted, known);
  return nearest === undefined ? "" : ` (did you mean ${format(quote(nearest))}?)`;
}
