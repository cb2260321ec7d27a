import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { makeTree } from "../support/file-tree.ts";

interface TestGroup {
  runGroup(
    paths: readonly string[],
    options: { cwd: string; env: NodeJS.ProcessEnv; onEnd: (news: { name: string; outcome: string }) => void },
  ): Promise<{ status: number; fault: string | undefined }>;
}

const { runGroup }: TestGroup = await import(new URL("../../../scripts/test-group.js", import.meta.url).href);

test("a test may have any character in its name and in its error", async (t) => {
  const name = String.raw`separators \u2028 and \u2029, a line end \n and a tab \t`;
  const top = makeTree(t, {
    "one.test.mjs": `import { test } from "node:test";
      test("${name}", () => {});
      test("fails", () => { throw new Error("${name}"); });`,
  });
  // Inside a test, node:test would report to that.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const ended: unknown[] = [];
  const { status, fault } = await runGroup([join(top, "one.test.mjs")], {
    cwd: top,
    env,
    onEnd: ({ name, outcome }) => ended.push([name, outcome]),
  });
  assert.deepEqual([status, fault], [1, undefined]);
  assert.deepEqual(ended, [
    ["separators \u2028 and \u2029, a line end \n and a tab \t", "pass"],
    ["fails", "fail"],
  ]);
});
