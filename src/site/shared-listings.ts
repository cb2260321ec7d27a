/**
 * Directory indexes, each made once for all who ask for it at the same time.
 *
 * A request joins an index whose task has not started: that one will see all that is in the folder now. While an index is
 * being made, later requests wait together for the next one. So any number of clients costs one task that runs and one
 * that waits. When all clients of a task have left, it is cancelled.
 */
import { fstatSync } from "node:fs";
import { parseListingQuery } from "../http/listing-query.ts";
import type { ListDirectoryInput, ListDirectoryOutput } from "../tasks/list-directory.ts";
import type { TaskOutcome, TaskPool } from "../tasks/task-types.ts";
import type { ListingMemory } from "./listing-memory.ts";
import { closeFile } from "./open-file.ts";

export type FailedListing = Extract<ListDirectoryOutput, { kind: "failed" }>;
type Page = Extract<ListDirectoryOutput, { kind: "page" }>;

export type SharedListing =
  /** `release` must be called when the response has ended. */
  | { readonly kind: "page"; readonly page: Page; readonly release: () => void }
  | FailedListing
  /** There is no place or memory for it, or the client has left: any response is right then. */
  | { readonly kind: "busy" };

/** An index that is to be made or being made. */
interface Batch {
  readonly input: ListDirectoryInput;
  readonly descriptor: number;
  readonly clients: Set<Client>;
  /** Aborted when no client is left. */
  readonly abandoned: AbortController;
}

interface Client {
  readonly resolve: (listing: SharedListing) => void;
  readonly reject: (fault: unknown) => void;
}

const BUSY: SharedListing = { kind: "busy" };

export class SharedListings {
  readonly #pool: TaskPool;
  readonly #memory: ListingMemory;
  /** Keyed by what is asked for: the batch that has not started. */
  readonly #next = new Map<string, Batch>();
  readonly #running = new Set<string>();

  constructor(pool: TaskPool, memory: ListingMemory) {
    this.#pool = pool;
    this.#memory = memory;
  }

  /**
   * @param descriptor  of the open directory; closed here
   * @param gone  aborted when the client has left
   * @throws what the task throws
   */
  list(descriptor: number, input: ListDirectoryInput, gone: AbortSignal): Promise<SharedListing> {
    const key = keyOf(descriptor, input);
    const waiting = this.#next.get(key);
    if (waiting?.abandoned.signal.aborted === false) {
      closeFile(descriptor);
      return join(waiting, gone);
    }
    const batch: Batch = { input, descriptor, clients: new Set(), abandoned: new AbortController() };
    this.#next.set(key, batch);
    if (waiting !== undefined) closeFile(waiting.descriptor);
    // Not at once: requests that arrive together share it.
    else if (!this.#running.has(key)) setImmediate(() => void this.#start(key));
    return join(batch, gone);
  }

  /** Makes the batch that waits, and then those that came to wait meanwhile. */
  async #start(key: string): Promise<void> {
    for (let batch = this.#next.get(key); batch !== undefined; batch = this.#next.get(key)) {
      this.#next.delete(key);
      this.#running.add(key);
      await this.#make(batch);
      this.#running.delete(key);
    }
  }

  async #make({ input, descriptor, clients, abandoned }: Batch): Promise<void> {
    try {
      const outcome = await this.#pool.run("list-directory", input, abandoned.signal);
      const listing = this.#share(outcome, clients.size);
      for (const client of clients) client.resolve(listing);
    } catch (fault) {
      for (const client of clients) client.reject(fault);
    } finally {
      closeFile(descriptor);
    }
  }

  /** @param clients  how many get it */
  #share(outcome: TaskOutcome<ListDirectoryOutput>, clients: number): SharedListing {
    if (outcome.kind !== "done" || outcome.output.kind === "stopped") return BUSY;
    if (outcome.output.kind === "failed") return outcome.output;
    const page = outcome.output;
    const size = page.bytes.length;
    if (clients === 0 || !this.#memory.reserve(size)) return BUSY;
    let left = clients;
    const release = (): void => {
      left -= 1;
      if (left === 0) this.#memory.release(size);
    };
    return { kind: "page", page, release };
  }
}

function join(batch: Batch, gone: AbortSignal): Promise<SharedListing> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      batch.clients.delete(client);
      if (batch.clients.size === 0) batch.abandoned.abort();
      resolve(BUSY);
    };
    const settle = (): void => gone.removeEventListener("abort", leave);
    const client: Client = {
      resolve: (listing) => {
        settle();
        resolve(listing);
      },
      reject: (fault) => {
        settle();
        reject(fault);
      },
    };
    batch.clients.add(client);
    if (gone.aborted) leave();
    else gone.addEventListener("abort", leave);
  });
}

/** The same folder with the same rules and in the same form and order, whatever its name and the spelling of the query. */
function keyOf(descriptor: number, input: ListDirectoryInput): string {
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  return JSON.stringify({ ...input, directory: `${dev}:${ino}`, query: parseListingQuery(input.query) });
}
