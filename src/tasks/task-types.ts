/**
 * The work that is done away from the event loop, and the door to it. Input and output are plain data, so that a task
 * may run in this process or in a thread of its own.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { Bytes, UnixMilliseconds } from "../base/units.ts";
import type { Digest } from "../http/content-digest.ts";
import type { Reason } from "../http/reason.ts";
import type { JsonFault } from "./json-syntax.ts";

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
   * Keeps a place for a task whose input is still arriving, so that quicker clients do not take it meanwhile. At most half
   * of all places are kept so: slow clients must not have them all. Undefined when none can be kept; there may be room yet.
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

export interface StoreJsonInput {
  /** The complete upload under its temporary name, in `directory`. Whoever made it removes it, whatever the outcome. */
  readonly temporary: AbsolutePath;
  readonly directory: AbsolutePath;
  /** What its name is made from, in local time. */
  readonly receivedAt: UnixMilliseconds;
  /** The permissions of the stored file. Made where the process began: a thread cannot ask for the umask safely. */
  readonly mode: number;
  /** What the client says of the content: every one must hold. */
  readonly digests: readonly Digest[];
}

export type StoreJsonOutput =
  /** On disk under its final name, which nobody had before. `sha256` in lower-case hexadecimal. */
  | { readonly kind: "stored"; readonly name: string; readonly size: Bytes; readonly sha256: string }
  | { readonly kind: "not-json"; readonly fault: JsonFault }
  | { readonly kind: "digest-mismatch" }
  | { readonly kind: "no-space" }
  | { readonly kind: "unavailable" };

export interface ListDirectoryInput {
  /**
   * The directory, already proven to be inside the root: its real path, or `/proc/self/fd/N` of a descriptor that the
   * caller keeps open until the task has ended. Where links may lead anywhere, it can be any path.
   */
  readonly directory: AbsolutePath;
  /** Whether `directory` is a real path, which must be looked up without following any link that it holds by now. */
  readonly isRealPath: boolean;
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
