/** The file of a log, behind an interface that a test can fake. */
import { close, write } from "node:fs";

export interface LogFile {
  readonly name: string;
  /**
   * Appends as much as the file accepts; one call at a time.
   *
   * @returns how many bytes were written, at least one
   * @throws  the system's error: ENOSPC, EIO, EPIPE, or EAGAIN for a full pipe
   */
  write(bytes: Uint8Array): number | Promise<number>;
  close(): Promise<void>;
}

/**
 * A file in append mode, so that several processes can share it. The caller owns it until `close`.
 *
 * After a rotation `useInstead` continues in another file. The old one is closed when a running write has ended.
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
    // An error of close means that the last bytes are lost; there is no remedy.
    void this.#writing.then(() => close(old, () => undefined));
  }

  async close(): Promise<void> {
    await this.#writing;
    // The standard streams belong to the process; libraries complain at exit if one is closed.
    if (this.#descriptor <= 2) return;
    await new Promise<void>((resolve, reject) => {
      close(this.#descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }
}
