import assert from "node:assert/strict";
import { test } from "node:test";
import { runtimeDirectory, stateDirectory } from "../../src/control/user-directories.ts";

const cases: [
  name: string,
  home: string | undefined,
  environment: NodeJS.ProcessEnv,
  state: string,
  runtime: string | undefined,
][] = [
  ["nothing set", "/home/ann", {}, "/home/ann/.local/state/comanche", undefined],
  ["both set", "/home/ann", { XDG_STATE_HOME: "/s", XDG_RUNTIME_DIR: "/r" }, "/s/comanche", "/r"],
  [
    "relative paths are ignored",
    "/home/ann",
    { XDG_STATE_HOME: "s", XDG_RUNTIME_DIR: "r" },
    "/home/ann/.local/state/comanche",
    undefined,
  ],
  [
    "empty is not set",
    "/home/ann",
    { XDG_STATE_HOME: "", XDG_RUNTIME_DIR: "" },
    "/home/ann/.local/state/comanche",
    undefined,
  ],
  ["a user without home", "", {}, "/.local/state/comanche", undefined],
  ["a user without HOME and account", undefined, {}, "/.local/state/comanche", undefined],
];
for (const [name, home, environment, state, runtime] of cases) {
  const user = { isRoot: false, home, environment };
  test(`stateDirectory: ${name}`, () => assert.equal(stateDirectory(user), state));
  test(`runtimeDirectory: ${name}`, () => assert.equal(runtimeDirectory(user), runtime));
}
