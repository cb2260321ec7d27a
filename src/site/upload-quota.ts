/**
 * How much the uploads of a directory may take in all, and what is left of that for those that are under way.
 *
 * What is stored is measured, and then only counted: it is measured again when there seems to be no room left, since
 * others may have removed something.
 */
import { type Bytes, type Milliseconds, milliseconds } from "../base/units.ts";

/** Measuring a full directory again and again would be work that anybody could cause. */
const MEASURED_AT_MOST_EVERY = milliseconds(5000);

export class UploadQuota {
  readonly #limit: Bytes | undefined;
  readonly #measure: () => Promise<Bytes>;
  /** In files; an upload that ended while they were measured may be counted twice until the next time. */
  #stored: number | undefined;
  /** By uploads that are under way. */
  #reserved = 0;
  #storedSinceMeasuring = 0;
  #measuring: Promise<void> | undefined;
  #measuredAt: Milliseconds | undefined;

  /**
   * @param limit  undefined: there is always room, and nothing is measured
   * @param measure  adds up the sizes of the uploads that are stored
   */
  constructor(limit: Bytes | undefined, measure: () => Promise<Bytes>) {
    this.#limit = limit;
    this.#measure = measure;
  }

  /** Sets `count` bytes aside for an upload, for which it gives them back in the end with `settle`. @returns whether they fit */
  async reserve(count: number, now: Milliseconds): Promise<boolean> {
    if (this.#limit === undefined) return true;
    if (!this.#fits(count) && this.#mayMeasure(now)) await this.measure(now);
    if (!this.#fits(count)) return false;
    this.#reserved += count;
    return true;
  }

  /** An upload has ended, for which `reserved` bytes had been set aside and of which `stored` are now in a file. */
  settle(reserved: number, stored: number): void {
    if (this.#limit === undefined) return;
    this.#reserved -= reserved;
    this.add(stored);
  }

  /** So many bytes have been stored, here or by others. */
  add(stored: number): void {
    this.#storedSinceMeasuring += stored;
    if (this.#stored !== undefined) this.#stored += stored;
  }

  /** Looks at the directory; whoever asks meanwhile waits for the same look. */
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
