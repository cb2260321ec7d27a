/**
 * Terminals that close. Node restores the settings of the standard terminals at exit, and aborts when one is gone. It
 * leaves alone a descriptor that is another file by then.
 */
import { closeSync, fstatSync, openSync } from "node:fs";
import { isatty } from "node:tty";
import { attempt } from "../base/errors.ts";

const STANDARD_DESCRIPTORS = [0, 1, 2] as const;

/** Whether this process uses a terminal. nohup(1) replaces every standard descriptor that is one. */
export function usesTerminal(): boolean {
  return STANDARD_DESCRIPTORS.some((descriptor) => isatty(descriptor));
}

/** Call it at exit, when nothing else opens files. */
export function leaveLostTerminals(): void {
  for (const descriptor of STANDARD_DESCRIPTORS) {
    // A terminal that is gone is still a device, but no terminal.
    const isDevice = attempt(() => fstatSync(descriptor).isCharacterDevice()) === true;
    if (!isDevice || isatty(descriptor)) continue;
    closeSync(descriptor);
    // The lowest free number: this one.
    openSync("/dev/null", "r+");
  }
}
