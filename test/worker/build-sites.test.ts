import assert from "node:assert/strict";
import { test } from "node:test";
import { buildSites } from "../../src/worker/build-sites.ts";
import { makeTree } from "../support/file-tree.ts";
import { settingsFrom } from "../support/settings-from.ts";

const turn = { current: () => 0 };

test("buildSites: a docbase that the sandbox does not reach stops the start, and the fault says what to do", (t) => {
  const top = makeTree(t, { "site/": "" });
  const settings = settingsFrom(top, "[main]\ndocbase = site\n");
  const reports: string[] = [];
  const reach = { reads: () => false, stores: () => false, report: (place: string) => reports.push(place) };
  assert.throws(() => buildSites(settings, turn, undefined, reach), {
    name: "StartupError",
    message:
      `cannot serve docbase ${top}/site: the sandbox does not reach it: ` +
      "let the user who starts the server enter it, or set sandbox = no",
  });
  const { main } = buildSites(settings, turn, undefined, { ...reach, reads: () => true });
  assert.deepEqual(main.root.state(), { kind: "present", path: `${top}/site` });
});
