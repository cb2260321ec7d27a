/**
 * Changes what names lead to, until its input ends; then says how often it did. Its arguments are a list of `Swap` as JSON,
 * and how many milliseconds a link leads to one target; without, it changes them as fast as it can.
 */
import { renameSync, symlinkSync } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";

export type Swap =
  /** `name` is always a link, which leads to one target and then to the other. */
  | { readonly kind: "link"; readonly name: string; readonly targets: readonly [string, string] }
  /** `name` is a file or folder of its own, then a link to `target`, and for moments nothing. */
  | { readonly kind: "real or link"; readonly name: string; readonly target: string };

const AT_ONCE = 50;

const [argument, pause] = process.argv.slice(2);
if (argument !== undefined) {
  const swaps = JSON.parse(argument) as readonly Swap[];
  let hasEnded = false;
  process.stdin.resume().once("end", () => {
    hasEnded = true;
  });
  let count = 0;
  for (const swap of swaps) if (swap.kind === "real or link") symlinkSync(swap.target, `${swap.name}.link`);
  console.log("swapping");
  while (pause !== undefined && !hasEnded) {
    for (const swap of swaps)
      for (const change of changesOf(swap)) {
        change();
        await setTimeout(Number(pause));
      }
    count += 1;
  }
  while (!hasEnded) {
    for (let i = 0; i < AT_ONCE; i += 1) for (const swap of swaps) turn(swap);
    count += AT_ONCE;
    await setImmediate();
  }
  console.log(count);
}

function turn(swap: Swap): void {
  for (const change of changesOf(swap)) change();
}

/** There and back again. */
function changesOf(swap: Swap): readonly (() => void)[] {
  const { name } = swap;
  if (swap.kind === "link") {
    return swap.targets.toReversed().map((target) => () => {
      symlinkSync(target, `${name}.new`);
      renameSync(`${name}.new`, name);
    });
  }
  return [
    () => {
      renameSync(name, `${name}.real`);
      renameSync(`${name}.link`, name);
    },
    () => {
      renameSync(name, `${name}.link`);
      renameSync(`${name}.real`, name);
    },
  ];
}
