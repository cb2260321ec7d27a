/**
 * The work that is done away from the event loop, and the door to it. Input and output are plain data, so that a task
 * may run in this process or in a thread of its own.
 */
import type { ListDirectoryInput, ListDirectoryOutput } from "./list-directory.ts";
import type { StoreJsonInput, StoreJsonOutput } from "./store-json.ts";

/** Every task by its name. */
export interface TaskTypes {
  readonly "list-directory": { readonly input: ListDirectoryInput; readonly output: ListDirectoryOutput };
  readonly "store-json": { readonly input: StoreJsonInput; readonly output: StoreJsonOutput };
}

export type TaskName = keyof TaskTypes;

export interface TaskPool {
  /** Whether a task would be taken now. */
  readonly hasRoom: boolean;
  /**
   * Reserves a place for a task whose input is still arriving, so that quicker clients do not take it meanwhile. At most
   * half of all places can be reserved, because slow clients must not have them all.
   *
   * @returns undefined when none can be reserved; there may be room yet
   */
  reserve(): Reservation | undefined;
  /** To be told when a client was refused because there was no room, before there was a task to run. */
  noteRefusal(): void;
  /**
   * Runs a task, or says at once that threads and queue are full. Rejects only on our own fault, such as a thread that
   * died: what the machine or a client can cause is part of the task's output.
   *
   * @param signal  takes the task out of the queue when its client has gone; one that runs already is not disturbed
   */
  run<N extends TaskName>(
    name: N,
    input: TaskTypes[N]["input"],
    signal?: AbortSignal,
  ): Promise<TaskOutcome<TaskTypes[N]["output"]>>;
}

export interface Reservation {
  /** Frees the place: for a task that is run directly afterwards, or for any other. A second call does nothing. */
  release(): void;
}

export type TaskOutcome<Output> =
  | { readonly kind: "done"; readonly output: Output }
  | { readonly kind: "busy" }
  /** The signal came before the task was begun. */
  | { readonly kind: "cancelled" };
