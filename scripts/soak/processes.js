/**
 * The tests of processes, signals and links that change, with the counts that are asked of a release: 200 reloads, 200
 * workers killed, 300 rotations of the logs, 100,000 fetches for each rule of links, and 25,000 for each while the document
 * root is switched.
 *
 *     node scripts/soak/processes.js [per cent]       of these counts; 100 by default
 */
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { runTrial } from "./trial.js";

/** Test file, and what its repeated tests have in their names. */
const TESTS = [
  ["reload", "hangups at random moments"],
  ["kill-workers", "workers under load|random moments of a reload"],
  ["log-rotation", "rotations of the logs"],
  ["link-race", "links that change"],
  ["root-switch", "switched"],
];

async function run({ count: percent = 100, main, check, figure, defer }) {
  const folder = join(dirname(dirname(main)), "test", "server");
  for (const [name, pattern] of TESTS) {
    const args = ["--test", "--test-reporter=tap", `--test-name-pattern=${pattern}`, join(folder, `${name}.test.js`)];
    const environment = { ...process.env, COMANCHE_SOAK: String(percent) };
    const child = spawn(process.execPath, args, { env: environment, stdio: ["ignore", "pipe", "inherit"] });
    defer(() => child.kill());
    const ended = new Promise((resolve) => child.once("close", resolve));
    const passed = await report(child.stdout, { check, figure });
    check(`${name}: ran, and ended well`, (await ended) === 0 && passed > 0, `${passed} passed`);
  }
}

/** @returns how many tests passed */
async function report(output, { check, figure }) {
  let passed = 0;
  let fault;
  for await (const line of createInterface(output)) {
    const test = /^(not )?ok \d+ - (.*)$/.exec(line);
    if (test !== null && !/ # SKIP test name does not match pattern$/.test(line)) {
      fault = undefined;
      if (test[1] === undefined) passed += 1;
      check(test[2], test[1] === undefined);
    } else if (/^ +error: /.test(line)) fault = "";
    else if (/^# (?!Subtest|tests|suites|pass|fail|cancelled|skipped|todo|duration_ms)/.test(line)) {
      figure("counted", line.slice(2));
    }
    // The words of a fault follow the name of its test.
    if (fault !== undefined) {
      if (/^ +code: /.test(line)) fault = undefined;
      else console.log(`         ${line}`);
    }
  }
  return passed;
}

await runTrial("processes: reloads, killed workers, rotated logs, links that change", 2400, run);
