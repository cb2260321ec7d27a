/**
 * The terminators that the same tests are run against.
 */
import { type TestContext, test } from "node:test";
import type { Terminator, TerminatorOptions } from "./terminator.ts";
import { startComanche } from "./terminator-comanche.ts";
import { hitchIsMissing, startHitch } from "./terminator-hitch.ts";

export interface Program {
  readonly name: string;
  /** Why it cannot be tried, for node:test's `skip`; false when it can. */
  readonly skip: string | false;
  /** The terminator has ended when the test has. @throws when it does not start */
  start(t: TestContext, options: TerminatorOptions): Promise<Terminator>;
}

const PROGRAMS: readonly Program[] = [
  { name: "comanche tls", skip: false, start: startComanche },
  { name: "hitch", skip: hitchIsMissing, start: startHitch },
];

/** A test of a behaviour that both have. */
export function testBoth(name: string, body: (t: TestContext, program: Program) => Promise<void>): void {
  for (const program of PROGRAMS) test(`${program.name}: ${name}`, { skip: program.skip }, (t) => body(t, program));
}
