/**
 * Changes what names lead to, as fast as it can, until its input ends; then says how often it did. Its argument is a list
 * of `Swap` as JSON.
 */
import { renameSync, symlinkSync } from "node:fs";
import { setImmediate } from "node:timers/promises";

export type Swap =
  /** `name` is always a link, which leads to one target and then to the other. */
  | { readonly kind: "link"; readonly name: string; readonly targets: readonly [string, string] }
  /** `name` is a file or folder of its own, then a link to `target`, and for moments nothing. */
  | { readonly kind: "real or link"; readonly name: string; readonly target: string };

const AT_ONCE = 50;

const [argument] = process.argv.slice(2);
if (argument !== undefined) {
  const swaps = JSON.parse(argument) as readonly Swap[];
  let hasEnded = false;
  process.stdin.resume().once("end", () => {
    hasEnded = true;
  });
  let count = 0;
  for (const swap of swaps) if (swap.kind === "real or link") symlinkSync(swap.target, `${swap.name}.link`);
  console.log("swapping");
  while (!hasEnded) {
    for (let i = 0; i < AT_ONCE; i += 1) for (const swap of swaps) turn(swap);
    count += AT_ONCE;
    await setImmediate();
  }
  console.log(count);
}

/** There and back again. */
function turn(swap: Swap): void {
  if (swap.kind === "link") {
    for (const target of swap.targets.toReversed()) {
      symlinkSync(target, `${swap.name}.new`);
      renameSync(`${swap.name}.new`, swap.name);
    }
    return;
  }
  const { name } = swap;
  renameSync(name, `${name}.real`);
  renameSync(`${name}.link`, name);
  renameSync(name, `${name}.link`);
  renameSync(`${name}.real`, name);
}
