/**
 * How a function of the C library is called, and how a failure of it is told.
 */
import { getSystemErrorMap } from "node:util";

/** A call that the system refused. `code` is the name of the error, such as `EPERM`. */
export class NativeError extends Error {
  readonly code: string;

  constructor(call: string, code: string) {
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** The part of koffi that is used. A function is called with numbers, texts, buffers and arrays of texts. */
export interface Koffi {
  load(path: string | null): { func(prototype: string): (...args: unknown[]) => unknown };
  errno(): number;
  /** A type that prototypes, and other types, can name. */
  struct(name: string, members: Readonly<Record<string, string>>): unknown;
  sizeof(type: string): number;
}

/** Binds a function of the C library that returns -1 and sets errno when it fails: then the call throws a NativeError. */
export type Bind = (name: string, prototype: string) => (...args: unknown[]) => number;

export function binderOf(koffi: Koffi, library: ReturnType<Koffi["load"]>): Bind {
  return (name, prototype) => {
    const call = library.func(prototype);
    return (...args) => {
      const result = Number(call(...args));
      if (result === -1) throw new NativeError(name, errorName(koffi.errno()));
      return result;
    };
  };
}

function errorName(number: number): string {
  return getSystemErrorMap().get(-number)?.[0] ?? `error ${number}`;
}
