/** The end of an exhaustive `switch`: a forgotten case does not compile, and one that arrives anyway throws. */
export function unreachable(value: never): never {
  throw new Error(`unreachable case: ${JSON.stringify(value)}`);
}
