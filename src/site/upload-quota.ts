/**
 * The limit for all uploads in a directory, and what is left for those in progress. The stored size is measured once
 * and then counted. It is measured again when no room seems to be left, since others may have deleted files.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import { type Bytes, type Milliseconds, milliseconds } from "../base/units.ts";

/** Measuring a full directory repeatedly would be work that any client could cause. */
const MEASURED_AT_MOST_EVERY = milliseconds(5000);

export class UploadQuota {
  readonly #limit: Bytes | undefined;
  readonly #measure: () => Promise<Bytes>;
  /** In files; an upload that ends during a measurement may be counted twice until the next one. */
  #stored: number | undefined;
  /** By uploads in progress. */
  #reserved = 0;
  #storedSinceMeasuring = 0;
  #measuring: Promise<void> | undefined;
  #measuredAt: Milliseconds | undefined;

  /**
   * @param limit  undefined: there is always room, and nothing is measured
   * @param measure  adds up the sizes of the stored uploads
   */
  constructor(limit: Bytes | undefined, measure: () => Promise<Bytes>) {
    this.#limit = limit;
    this.#measure = measure;
  }

  /** Reserves `count` bytes for an upload, which must `settle` them at its end. @returns whether they fit */
  async reserve(count: number, now: Milliseconds): Promise<boolean> {
    if (this.#limit === undefined) return true;
    if (!this.#fits(count) && this.#mayMeasure(now)) await this.measure(now);
    if (!this.#fits(count)) return false;
    this.#reserved += count;
    return true;
  }

  /** An upload has ended: `reserved` bytes were set aside for it, and `stored` bytes are now in a file. */
  settle(reserved: number, stored: number): void {
    if (this.#limit === undefined) return;
    this.#reserved -= reserved;
    this.add(stored);
  }

  /** Counts stored bytes, of this process or of others. */
  add(stored: number): void {
    this.#storedSinceMeasuring += stored;
    if (this.#stored !== undefined) this.#stored += stored;
  }

  /** Concurrent callers wait for the same measurement. */
  async measure(now: Milliseconds): Promise<void> {
    if (this.#limit === undefined) return;
    this.#measuring ??= this.#look(now).finally(() => {
      this.#measuring = undefined;
    });
    await this.#measuring;
  }

  async #look(now: Milliseconds): Promise<void> {
    this.#storedSinceMeasuring = 0;
    const found = await this.#measure();
    this.#stored = found + this.#storedSinceMeasuring;
    this.#measuredAt = now;
  }

  #fits(count: number): boolean {
    if (this.#limit === undefined) return true;
    return this.#stored !== undefined && this.#stored + this.#reserved + count <= this.#limit;
  }

  #mayMeasure(now: Milliseconds): boolean {
    return (
      this.#measuring !== undefined ||
      this.#measuredAt === undefined ||
      now - this.#measuredAt >= MEASURED_AT_MOST_EVERY
    );
  }
}

export interface StoredUpload {
  /** Its real path. */
  readonly directory: AbsolutePath;
  readonly size: Bytes;
}

/**
 * For directories that several sites of this process, or several processes of this server, store in. Each counts what
 * it has stored and reports it to the others, so that a quota applies to all together. Uploads in progress in another
 * process are not known.
 */
export class UploadLedger {
  readonly #quotas = new Map<AbsolutePath, Set<UploadQuota>>();
  readonly #tell: (upload: StoredUpload) => void;

  /** @param tell  passes it on to the other processes */
  constructor(tell: (upload: StoredUpload) => void = () => undefined) {
    this.#tell = tell;
  }

  /** The quota then counts what others store in the directory. */
  join(directory: AbsolutePath, quota: UploadQuota): void {
    const quotas = this.#quotas.get(directory);
    if (quotas === undefined) this.#quotas.set(directory, new Set([quota]));
    else quotas.add(quota);
  }

  /** @param by  has counted it already */
  stored(upload: StoredUpload, by: UploadQuota): void {
    this.#count(upload, by);
    this.#tell(upload);
  }

  /** Another process has stored it. */
  heard(upload: StoredUpload): void {
    this.#count(upload, undefined);
  }

  #count({ directory, size }: StoredUpload, except: UploadQuota | undefined): void {
    for (const quota of this.#quotas.get(directory) ?? []) if (quota !== except) quota.add(size);
  }
}
