/**
 * The work that is done away from the event loop, and the door to it. Input and output are plain data, so that a task
 * may run in this process or in a thread of its own.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { Reason } from "../http/reason.ts";

/** Every task by its name. */
export interface TaskTypes {
  readonly "list-directory": { readonly input: ListDirectoryInput; readonly output: ListDirectoryOutput };
}

export type TaskName = keyof TaskTypes;

export interface TaskPool {
  /** Rejects only on our own fault: what the machine or a client can cause is part of the task's output. */
  run<N extends TaskName>(name: N, input: TaskTypes[N]["input"]): Promise<TaskTypes[N]["output"]>;
}

export interface ListDirectoryInput {
  /**
   * The directory, already proven to be inside the root: its real path, or `/proc/self/fd/N` of a descriptor that the
   * caller keeps open until the task has ended. Nothing above it is looked at.
   */
  readonly directory: AbsolutePath;
  /** Real path of the document root: where links must stay with `symlinks: "inside"`. */
  readonly root: AbsolutePath;
  /** The decoded names from the root to the directory, as in `SitePath.segments`. */
  readonly segments: readonly string[];
  /** What stands after `?` in the request, as it came: the order asked for. */
  readonly query: string | undefined;
  readonly form: "html" | "json";
  readonly dotfiles: boolean;
  readonly symlinks: "inside" | "never" | "anywhere";
  /** Extensions of the files that may be shown, in lower case without dot; empty shows all. */
  readonly types: readonly string[];
  /** What the first breadcrumb says; "Home" without it. */
  readonly siteName?: string;
}

export type ListDirectoryOutput =
  | {
      readonly kind: "page";
      readonly mediaType: string;
      readonly bytes: Uint8Array;
      /** The Content-Security-Policy this page works under. */
      readonly securityPolicy: string;
    }
  | { readonly kind: "failed"; readonly reason: ListDirectoryFailure };

/** Of an entry that cannot be read nothing is said: only the directory itself can fail. */
export type ListDirectoryFailure = Extract<Reason, "not-found" | "no-permission" | "out-of-descriptors">;
