/**
 * The frame of a trial: its arguments, its folder, its verdict, and an end that leaves nothing behind.
 *
 *     node scripts/soak/TRIAL.js [count] [--dist DIR]
 *
 * Whatever a trial starts, mounts or makes it hands to `defer`, which undoes it last to first when the process exits,
 * by whatever way. Exit status 0: all that was checked holds; 1: not, or the time was up.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * @param title  what is tried, in a few words
 * @param limitSeconds  after which the trial has failed
 * @param run  gets `count` (the argument, or undefined), `main` (the server's entry), `folder` and `htdocs` of its own,
 *             `defer`, `figure` to print something measured, `check` to judge something
 */
export async function runTrial(title, limitSeconds, run) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { dist: { type: "string" } } });
  const count = positionals[0] === undefined ? undefined : Number(positionals[0]);
  if (count !== undefined && !(Number.isInteger(count) && count > 0)) {
    console.error(`${positionals[0]}: expected a whole number`);
    process.exit(2);
  }
  const main = resolve(ROOT, values.dist ?? "dist", "src", "main.js");
  const deferred = [];
  process.once("exit", () => undo(deferred));
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

  const folder = mkdtempSync(join(tmpdir(), "comanche-soak-"));
  deferred.push(() => rmSync(folder, { recursive: true, force: true }));
  const htdocs = join(folder, "htdocs");
  mkdirSync(htdocs);

  console.log(title);
  const timer = setTimeout(() => {
    console.log(`  FAULT  not finished in ${limitSeconds} s`);
    process.exit(1);
  }, limitSeconds * 1000);
  let faults = 0;
  const check = (what, holds, found) => {
    if (!holds) faults += 1;
    console.log(`  ${holds ? "ok   " : "FAULT"}  ${what}${found === undefined ? "" : `: ${found}`}`);
    return holds;
  };
  const figure = (what, found) => console.log(`         ${what}: ${found}`);
  try {
    await run({ count, main, folder, htdocs, check, figure, defer: (action) => deferred.push(action) });
  } catch (error) {
    check("the trial ran to its end", false, error.stack);
  }
  clearTimeout(timer);
  process.exit(faults === 0 ? 0 : 1);
}

/** One that fails does not keep the others from being undone. */
function undo(deferred) {
  for (const action of deferred.reverse()) {
    try {
      action();
    } catch (error) {
      console.error(error);
    }
  }
}

/** @param share  between 0 and 1 */
export function percentile(numbers, share) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function inMilliseconds(number) {
  return `${number.toFixed(1)} ms`;
}

/** How often each thing occurs, in words. */
export function tally(things) {
  const counts = new Map();
  for (const thing of things) counts.set(thing, (counts.get(thing) ?? 0) + 1);
  return [...counts].map(([thing, count]) => `${count} × ${thing}`).join(", ");
}
