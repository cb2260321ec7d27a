/**
 * Reaps orphans. The kernel makes PID 1 the parent of processes whose own parent has ended, and each of them stays a zombie
 * until its parent has asked how it ended. Node asks only for processes that it has started itself.
 */
import { attempt } from "../base/errors.ts";
import type { ChildCalls } from "../system/native-children.ts";

/** @param isOwn  whether Node started the process: then Node must be the one that asks */
export function reapOrphans(native: ChildCalls, isOwn: (pid: number) => boolean): void {
  for (;;) {
    const pid = attempt(() => native.findEndedChild());
    // An own child hides others until Node has asked for it, and its own signal is on the way.
    if (pid === undefined || isOwn(pid)) return;
    native.reapChild(pid);
  }
}

/** As PID 1 and with the C library: reaps for as long as the process lives. @returns a warning where it cannot */
export function watchForOrphans(native: ChildCalls | undefined, isOwn: (pid: number) => boolean): string | undefined {
  if (process.pid !== 1) return undefined;
  if (native === undefined) return NEEDS_INIT;
  // Node asks for its own children in the same turn of the event loop, perhaps after this handler.
  const reapLater = (): unknown => setImmediate(() => reapOrphans(native, isOwn));
  process.on("SIGCHLD", reapLater);
  reapLater();
  return undefined;
}

const NEEDS_INIT =
  "running as PID 1 without the package koffi: processes that other programs leave behind stay as zombies; start it under an init, as docker run --init does";
