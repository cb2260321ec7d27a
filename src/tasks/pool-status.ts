/**
 * How busy the task pool is, and in what words that is told.
 */

/** At one moment. */
export interface PoolState {
  /** Threads there may be. */
  readonly threads: number;
  /** Tasks that run. */
  readonly active: number;
  /** Tasks that may wait. */
  readonly queue: number;
  readonly waiting: number;
  /** Places reserved for tasks whose input is still arriving. */
  readonly reserved: number;
}

/** Whether one more task would be taken. */
export function hasRoom({ threads, active, queue, waiting, reserved }: PoolState): boolean {
  return active + waiting + reserved < threads + queue;
}

/** Whether a place may be reserved for a task whose input is still arriving: never more than half of all. */
export function mayReserve(state: PoolState): boolean {
  return hasRoom(state) && state.reserved < Math.floor((state.threads + state.queue) / 2);
}

/** Green: a thread is free. Yellow: all are busy. Red: the next task is refused. */
export function formatPoolStatus(state: PoolState): string {
  const { threads, active, queue, waiting } = state;
  return `${lightFor(state)} Thread pool: ${active}/${threads} active | Queue: ${waiting}/${queue}`;
}

function lightFor(state: PoolState): string {
  if (!hasRoom(state)) return "🔴";
  return state.active >= state.threads || state.waiting > 0 ? "🟡" : "🟢";
}

/** Whether a look at the pool is worth a line: while it has something to do, and once when that is over. */
export function isStatusNews(state: PoolState, printedBefore: PoolState | undefined): boolean {
  return isBusy(state) || (printedBefore !== undefined && isBusy(printedBefore));
}

function isBusy({ active, waiting }: PoolState): boolean {
  return active > 0 || waiting > 0;
}
