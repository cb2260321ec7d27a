/**
 * The work done outside the event loop, and the interface to it. Input and output are plain data, so that a task can
 * run in this process or in a thread.
 */
import type { ListDirectoryInput, ListDirectoryOutput } from "./list-directory.ts";
import type { StoreJsonInput, StoreJsonOutput } from "./store-json.ts";

export interface TaskTypes {
  readonly "list-directory": { readonly input: ListDirectoryInput; readonly output: ListDirectoryOutput };
  readonly "store-json": { readonly input: StoreJsonInput; readonly output: StoreJsonOutput };
}

export type TaskName = keyof TaskTypes;

export interface TaskPool {
  /** Whether a task would be accepted now. */
  readonly hasRoom: boolean;
  /**
   * Reserves a place for a task whose input is still arriving, so that faster clients do not take it. At most half of
   * all places can be reserved, because slow clients must not get them all.
   * @returns undefined when none can be reserved; `run` may still have room
   */
  reserve(): Reservation | undefined;
  /** Reports that a client was refused for lack of room before it had a task to run. */
  noteRefusal(): void;
  /**
   * Runs a task, or says at once that threads and queue are full. Rejects only on our own fault, such as a dead thread:
   * what the machine or a client can cause is part of the output.
   * @param signal  removes a waiting task when its client has disconnected, and asks a running one to stop; its output may
   *   then say so
   */
  run<N extends TaskName>(
    name: N,
    input: TaskTypes[N]["input"],
    signal?: AbortSignal,
  ): Promise<TaskOutcome<TaskTypes[N]["output"]>>;
}

export interface Reservation {
  /** Frees the place, for a task that is run directly afterwards or for any other. A second call does nothing. */
  release(): void;
}

export type TaskOutcome<Output> =
  | { readonly kind: "done"; readonly output: Output }
  | { readonly kind: "busy" }
  /** The signal was aborted before the task began. */
  | { readonly kind: "cancelled" };
