/**
 * The file a log is written to, behind a door narrow enough for a test to fake.
 */
import { close, write } from "node:fs";

export interface LogFile {
  /** For messages. */
  readonly name: string;
  /**
   * Appends as much as the file takes; one call at a time.
   *
   * @returns how many bytes were taken, at least one
   * @throws  the system's error: ENOSPC, EIO, EPIPE, or EAGAIN for a pipe that is full
   */
  write(bytes: Uint8Array): number | Promise<number>;
  close(): Promise<void>;
}

/**
 * A file that is open in append mode, so that several processes can share it. It is the caller's until `close`.
 *
 * When it was moved away, `useInstead` goes on in another: what was being written goes to the old one still, which is
 * closed after that, and everything later to the new one.
 */
export class AppendedFile implements LogFile {
  readonly name: string;
  #descriptor: number;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(descriptor: number, name: string) {
    this.#descriptor = descriptor;
    this.name = name;
  }

  get descriptor(): number {
    return this.#descriptor;
  }

  write(bytes: Uint8Array): Promise<number> {
    const descriptor = this.#descriptor;
    const written = new Promise<number>((resolve, reject) => {
      write(descriptor, bytes, 0, bytes.length, null, (error, taken) => (error ? reject(error) : resolve(taken)));
    });
    this.#writing = written.catch(() => undefined);
    return written;
  }

  useInstead(descriptor: number): void {
    const old = this.#descriptor;
    this.#descriptor = descriptor;
    // A fault of closing says that the last bytes are lost, which nobody can mend.
    void this.#writing.then(() => close(old, () => undefined));
  }

  async close(): Promise<void> {
    await this.#writing;
    // The standard streams belong to the process; libraries say so at its end if one is closed.
    if (this.#descriptor <= 2) return;
    await new Promise<void>((resolve, reject) => {
      close(this.#descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }
}
