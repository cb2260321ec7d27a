/**
 * The file a log is written to, behind a door narrow enough for a test to fake.
 */
import { close, write } from "node:fs";

export interface LogFile {
  /** For messages. */
  readonly name: string;
  /**
   * Appends as much as the file takes.
   *
   * @returns how many bytes were taken, at least one
   * @throws  the system's error: ENOSPC, EIO, EPIPE, or EAGAIN for a pipe that is full
   */
  write(bytes: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/** A file that is open in append mode, so that several processes can share it. It is the caller's until `close`. */
export function logFile(descriptor: number, name: string): LogFile {
  return {
    name,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        write(descriptor, bytes, 0, bytes.length, null, (error, taken) => (error ? reject(error) : resolve(taken)));
      }),
    close: () =>
      new Promise((resolve, reject) => {
        close(descriptor, (error) => (error ? reject(error) : resolve()));
      }),
  };
}
