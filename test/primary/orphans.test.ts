import assert from "node:assert/strict";
import { test } from "node:test";
import { reapOrphans } from "../../src/primary/orphans.ts";

const OWN = 7;
const cases: [name: string, ended: number[], reaped: number[]][] = [
  ["nothing has ended", [], []],
  ["orphans, one after the other", [8, 9], [8, 9]],
  ["an own child, which Node asks for", [OWN, 8], []],
  ["orphans before an own child", [8, OWN, 9], [8]],
];
for (const [name, ended, want] of cases) {
  test(`reapOrphans: ${name}`, () => {
    const left = [...ended];
    const reaped: number[] = [];
    const reapChild = (pid: number): void => {
      assert.equal(pid, left.shift());
      reaped.push(pid);
    };
    reapOrphans({ findEndedChild: () => left[0], reapChild }, (pid) => pid === OWN);
    assert.deepEqual(reaped, want);
  });
}

test("reapOrphans: without any child the C library fails, which is no fault", () => {
  const findEndedChild = (): never => {
    throw new Error("ECHILD");
  };
  reapOrphans({ findEndedChild, reapChild: () => assert.fail("there is no child") }, () => false);
});
