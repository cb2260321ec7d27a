/**
 * What became of all tests: counted as `node --test` does, failures in full at the end, and why tests were skipped.
 */
import { relative } from "node:path";

export class TestReport {
  #counts = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
  #failures = [];
  /** How often, by reason. */
  #skips = new Map();
  /** Milliseconds by file; those of the tests within other tests are part of theirs. */
  #times = new Map();
  #root;

  constructor(root) {
    this.#root = root;
  }

  get hasFailed() {
    return this.#failures.length > 0;
  }

  add(news) {
    const { outcome, isSuite, depth, ms, reason } = news;
    if (isSuite) this.#counts.suites++;
    else this.#counts.tests++;
    if (!isSuite) this.#counts[outcome]++;
    if (outcome === "skipped") this.#skips.set(reason, (this.#skips.get(reason) ?? 0) + 1);
    if (outcome === "fail" || outcome === "cancelled") this.addFailure(news);
    const file = this.#nameOf(news);
    if (depth === 0) this.#times.set(file, (this.#times.get(file) ?? 0) + ms);
  }

  /** A failed test, or what was wrong with a process of tests. */
  addFailure(failure) {
    this.#failures.push(failure);
    console.log(`not ok ${this.#failures.length} - ${this.#nameOf(failure)}: ${failure.name}`);
  }

  /** The files that took longest first. */
  printTimes() {
    for (const [file, ms] of [...this.#times].sort(([, one], [, other]) => other - one)) {
      console.log(`${(ms / 1000).toFixed(2).padStart(8)} s  ${file}`);
    }
  }

  /** The last lines of a run: failures, counts, and the reasons of what was skipped in the very last. */
  print(durationMs, seed) {
    for (const [index, failure] of this.#failures.entries()) {
      if (failure.error === undefined) continue;
      console.log(`\nnot ok ${index + 1} - ${this.#nameOf(failure)}:${failure.line ?? ""} ${failure.name}`);
      console.log(failure.error.replace(/^/gm, "    "));
    }
    console.log("");
    for (const [name, count] of Object.entries(this.#counts)) console.log(`# ${name} ${count}`);
    console.log(`# duration_ms ${durationMs.toFixed(0)}`);
    console.log(`# seed ${seed}`);
    const reasons = [...this.#skips].sort(([, one], [, other]) => other - one);
    const list = reasons.map(([reason, count]) => `${count} ${reason}`).join("; ");
    console.log(reasons.length === 0 ? "nothing was skipped" : `skipped ${this.#counts.skipped}: ${list}`);
  }

  #nameOf({ file }) {
    return file === undefined
      ? "?"
      : relative(this.#root, file)
          .replace(/^dist\//, "")
          .replace(/\.js$/, ".ts");
  }
}
