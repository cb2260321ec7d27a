/**
 * Reporter of one process of tests: says what became of each test in one line of JSON behind a record separator (RFC 7464), by
 * which `test-group.js` tells it from what the tests themselves print.
 */
import { readFileSync } from "node:fs";
import { inspect } from "node:util";

const RECORD_SEPARATOR = "\x1e";

export default async function* report(events) {
  /** Names of the tests that have begun, by depth: an event names its own test only. */
  const path = [];
  for await (const { type, data } of events) {
    if (type === "test:start" || type === "test:pass" || type === "test:fail")
      path.splice(data.nesting, path.length, data.name);
    const name = path.join(" > ");
    if (type === "test:start") yield record({ kind: "start", name });
    if (type === "test:pass" || type === "test:fail") yield record({ kind: "end", name, ...describe(type, data) });
  }
  yield record({ kind: "exit", cpuMs: usedProcessorTime() });
}

function describe(type, { nesting, file, line, skip, todo, details }) {
  const common = { depth: nesting, file, line, ms: details.duration_ms, isSuite: details.type === "suite" };
  if (skip !== undefined)
    return { ...common, outcome: "skipped", reason: typeof skip === "string" ? skip : "no reason given" };
  if (todo !== undefined) return { ...common, outcome: "todo" };
  if (type === "test:pass") return { ...common, outcome: "pass" };
  const { failureType, cause } = details.error;
  const isCancelled = failureType === "cancelledByParent" || failureType === "testTimeoutFailure";
  // The test that failed inside it says more.
  const isRepetition = failureType === "subtestsFailed";
  const error = isRepetition ? undefined : typeof cause === "string" ? cause : inspect(cause ?? details.error);
  return { ...common, outcome: isCancelled ? "cancelled" : "fail", error };
}

/** Milliseconds of this process and of those that it has waited for; without /proc of this process alone. */
function usedProcessorTime() {
  try {
    const stat = readFileSync("/proc/self/stat", "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // utime, stime, cutime and cstime of proc(5), in hundredths of a second.
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
}

/** readline takes U+2028 and U+2029 for line ends too, and JSON leaves them as they are. */
function record(news) {
  const json = JSON.stringify(news).replace(/[\u2028\u2029]/g, (end) => `\\u${end.charCodeAt(0).toString(16)}`);
  return `${RECORD_SEPARATOR}${json}\n`;
}
