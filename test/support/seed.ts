/**
 * Random choices that a run can repeat: `npm test` prints its seed, and takes one with `--seed N`.
 */
const seed = Number(process.env.COMANCHE_SEED ?? Math.floor(Math.random() * 2 ** 31));
if (process.env.COMANCHE_SEED === undefined) process.once("exit", () => console.error(`COMANCHE_SEED=${seed}`));

/**
 * @param name  of the trial: each has choices of its own, whatever ran before it
 * @returns a function like Math.random
 */
export function randomFor(name: string): () => number {
  let state = seed >>> 0;
  for (let at = 0; at < name.length; at++) state = mix(state ^ name.charCodeAt(at));
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    return mix(state) / 2 ** 32;
  };
}

/** Spreads every bit of a 32-bit number over all of them (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
