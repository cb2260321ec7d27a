/**
 * Loaded into a server before its own code (`node --import`): writes the delay of its event loop to the file
 * LOOP_DELAY_FILE ten times a second, one JSON object a line, in milliseconds.
 *
 * `max` and `p99` are those of perf_hooks. They also count the time in which the thread could have run but others had the
 * processors; `worked` is the most processor time that the thread took between two ticks of a timer of 1 ms, which no
 * neighbour on the machine can lengthen.
 */
import { appendFileSync, openSync, readSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const RESOLUTION_MS = 1;

// Task threads load this too, and they may be busy as long as they like.
if (isMainThread && process.env.LOOP_DELAY_FILE !== undefined) watch(process.env.LOOP_DELAY_FILE);

function watch(file) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const processorTime = readProcessorTime();
  let worked = 0;
  let atLastTick = processorTime();
  const tick = () => {
    const now = processorTime();
    worked = Math.max(worked, now - atLastTick);
    atLastTick = now;
  };
  const write = () => {
    // The histogram counts the time between two ticks of a timer, of which its interval is no delay.
    const delay = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
    const line = { max: delay(histogram.max), p99: delay(histogram.percentile(99)), worked };
    histogram.reset();
    worked = 0;
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  };
  setInterval(tick, RESOLUTION_MS).unref();
  setInterval(write, 100).unref();
}

/** Of this thread, in milliseconds: the first number of Linux's schedstat. */
function readProcessorTime() {
  const descriptor = openSync(`/proc/self/task/${process.pid}/schedstat`);
  const text = Buffer.alloc(100);
  return () => Number.parseInt(text.toString("latin1", 0, readSync(descriptor, text, 0, text.length, 0)), 10) / 1e6;
}
