/**
 * What a thread does in the tests of the pool, in place of the tasks there are.
 */
import { move, transferableSymbol, valueSymbol } from "piscina";

/** Two numbers shared with the test: how many tasks have begun, and how many of them may go on. */
export type Gate = Int32Array;

export type TestTask =
  | { readonly do: "answer"; readonly value: unknown }
  /** Waits until that many may go on. */
  | { readonly do: "wait"; readonly gate: Gate; readonly place: number }
  | { readonly do: "run until stopped" }
  | { readonly do: "throw"; readonly message: string }
  | { readonly do: "throw later" }
  | { readonly do: "exit" }
  | { readonly do: "use up the memory" }
  /** Large bytes that are moved. */
  | { readonly do: "move" }
  /** How large the bytes of the last `move` of this thread still are: nothing, when they were not copied. */
  | { readonly do: "ask what is left" };

let moved = new ArrayBuffer(0);

interface Request {
  readonly input: TestTask;
  readonly stop?: Int32Array;
}

export async function run({ input, stop }: Request): Promise<unknown> {
  switch (input.do) {
    case "answer":
      return input.value;
    case "wait":
      Atomics.add(input.gate, 0, 1);
      for (let open = 0; open < input.place; open = Atomics.load(input.gate, 1)) Atomics.wait(input.gate, 1, open);
      return input.place;
    case "run until stopped":
      while (stop === undefined || Atomics.load(stop, 0) === 0);
      return "stopped";
    case "throw":
      throw new RangeError(input.message);
    case "throw later":
      setImmediate(() => {
        throw new Error("nobody expected this");
      });
      return new Promise(() => undefined);
    case "exit":
      return process.exit(7);
    case "use up the memory":
      for (const hoard: unknown[][] = []; ; ) hoard.push(new Array(10_000).fill(hoard.length));
    case "move":
      moved = new ArrayBuffer(2 ** 20);
      return move({ [transferableSymbol]: moved, [valueSymbol]: { bytes: new Uint8Array(moved) } });
    case "ask what is left":
      return moved.byteLength;
  }
}
