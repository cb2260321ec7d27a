/**
 * An upload while it arrives: a temporary file in the directory it will be stored in, so that it can be given its final
 * name there. It is removed in the end, whatever becomes of the upload.
 */
import { constants } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { type AbsolutePath, pathBelow } from "../base/absolute-path.ts";
import type { Milliseconds } from "../base/units.ts";
import { formatTemporaryName } from "../base/upload-name.ts";
import type { UploadQuota } from "./upload-quota.ts";

const CREATE_FLAGS = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
const PRIVATE = 0o600;

/** Where the bytes of an upload are accounted for. */
export type UploadAccount = Pick<UploadQuota, "reserve" | "settle">;

export class IncomingUpload {
  /** Where the file is, for as long as it is. */
  readonly path: AbsolutePath;
  readonly directory: AbsolutePath;
  readonly #file: FileHandle;
  readonly #account: UploadAccount;
  #isOpen = true;
  #reserved: number;
  #received = 0;
  #stored = 0;

  private constructor(
    path: AbsolutePath,
    directory: AbsolutePath,
    file: FileHandle,
    account: UploadAccount,
    reserved: number,
  ) {
    this.path = path;
    this.directory = directory;
    this.#file = file;
    this.#account = account;
    this.#reserved = reserved;
  }

  /**
   * The caller calls `discard` in the end.
   *
   * @param directory  its real path
   * @param reserved  how many bytes of the quota have been set aside for it
   * @throws what the system says
   */
  static async open(directory: AbsolutePath, account: UploadAccount, reserved: number): Promise<IncomingUpload> {
    const path = pathBelow(directory, formatTemporaryName(process.pid, randomHex()));
    const file = await open(path, CREATE_FLAGS, PRIVATE);
    return new IncomingUpload(path, directory, file, account, reserved);
  }

  /**
   * Resolves when the bytes are with the kernel.
   *
   * @returns whether the quota had room for them
   * @throws what the system says, such as ENOSPC
   */
  async append(bytes: Uint8Array, now: Milliseconds): Promise<boolean> {
    this.#received += bytes.length;
    const missing = this.#received - this.#reserved;
    if (missing > 0) {
      if (!(await this.#account.reserve(missing, now))) return false;
      this.#reserved += missing;
    }
    // A write may be cut short, by a disk that is just becoming full or by a signal.
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, written);
      written += bytesWritten;
    }
    return true;
  }

  /** To be called when everything has arrived. @throws what the system says: some file systems report a full disk only now */
  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#file.close();
  }

  /** It has been given its final name too: from now on it counts as stored. */
  keep(): void {
    this.#stored = this.#received;
  }

  /** Removes the temporary file. One that cannot be removed is litter, which the next start clears away. */
  async discard(): Promise<void> {
    this.#account.settle(this.#reserved, this.#stored);
    if (this.#isOpen) await this.close().catch(() => undefined);
    await unlink(this.path).catch(() => undefined);
  }
}

function randomHex(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex");
}
