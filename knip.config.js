/**
 * Which exports are dead: `npm run dead` asks twice, once with the tests and once without.
 *
 * With the tests, an export that no other file imports is a fault. Without them, so is an export that only tests use,
 * unless its own file uses it too: then it is the pure half of something, exported to be tested. The tag `@internal` in a
 * docstring, with the reason, makes an exception of an export that only tests use.
 */
import { readdirSync, readFileSync } from "node:fs";

export default ({ production = false }) => ({
  entry: [
    "src/{main,worker-main,thread-main}.ts!",
    "scripts/*.js!",
    ...["scripts/bench", "scripts/bench/clients", "scripts/soak"].flatMap(programsIn).map((path) => `${path}!`),
    "{test,scripts/bench/test}/**/*.test.{ts,js}",
    ...programsIn("test/support"),
  ],
  project: ["src/**/*.ts!", "scripts/**/*.js!", "test/**/*.ts"],
  ignoreExportsUsedInFile: production,
  // Programs of the system, which tests and benchmarks look for before they use them.
  ignoreBinaries: [/./],
});

/** A helper that exports nothing is a program: another file starts it by its name. */
function programsIn(folder) {
  return readdirSync(folder)
    .map((name) => `${folder}/${name}`)
    .filter((path) => /\.[jt]s$/.test(path) && !/^export /m.test(readFileSync(path, "utf8")));
}
