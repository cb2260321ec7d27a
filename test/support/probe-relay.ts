/**
 * Loaded into a real worker process before `confinement-probe.js`: what the probe writes on standard error goes to the
 * primary as an event, which has it in the error log at once. Standard error the primary tells only when the worker ends.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";

if (isMainThread && process.send !== undefined) {
  const { writeSync } = fs;
  const relay = (descriptor: number, text: unknown): number => {
    if (descriptor !== 2 || typeof text !== "string") return Reflect.apply(writeSync, fs, [descriptor, text]);
    process.send?.({ kind: "event", level: "warn", text: text.trim() });
    return text.length;
  };
  Object.assign(fs, { writeSync: relay });
  syncBuiltinESMExports();
}
