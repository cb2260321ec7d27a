/**
 * The directory in which a site stores its uploads: made where it is missing, cleared of what a crash left behind, and
 * bounded by `upload-quota`.
 *
 * Those that the settings name are there already (process/upload-directories.ts). One of a host that is a directory is
 * made by its first upload, and so is one that was removed, as far as a sandbox allows it.
 * A symbolic link in its path is the operator's choice and is followed; uploads are stored where it really leads.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, opendir, readdir, realpath, statfs, unlink } from "node:fs/promises";
import { type AbsolutePath, absolutePath, contains, pathBelow } from "../base/absolute-path.ts";
import { errorCode } from "../base/errors.ts";
import { isProcessAlive } from "../base/process-alive.ts";
import { type Bytes, bytes, type Milliseconds, type UnixMilliseconds } from "../base/units.ts";
import { formatTemporaryName, isUploadName, parseTemporaryName } from "../base/upload-name.ts";
import { formatSitePath } from "../http/site-path.ts";
import type { Site } from "./site.ts";
import { UploadLedger, UploadQuota } from "./upload-quota.ts";

/** No upload takes that long, whichever process it belongs to. */
const LITTER_AGE_MS = 24 * 60 * 60 * 1000;
/** Few enough that requests for files find the file-system threads free. */
const MEASURED_TOGETHER = 64;

const CREATE_FLAGS = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
const PRIVATE = 0o600;

export type BeginOutcome =
  | { readonly kind: "begun"; readonly upload: IncomingUpload }
  /** The quota or the disk has no room for so much. */
  | { readonly kind: "no-space" }
  /** The document root is not there. */
  | { readonly kind: "unavailable" };

export class UploadStore {
  readonly #site: Site;
  readonly #quota: UploadQuota;
  readonly #ledger: UploadLedger;
  /** Where uploads were stored last. */
  #directory: AbsolutePath | undefined;

  constructor(site: Site, ledger: UploadLedger = new UploadLedger()) {
    this.#site = site;
    this.#ledger = ledger;
    this.#quota = new UploadQuota(site.rules.uploadQuota, () => this.#measure());
  }

  /** To be called before the first request: removes what processes that are gone have left. @throws what the system says */
  async clearLitter(now: UnixMilliseconds): Promise<void> {
    const directory = await this.#findDirectory();
    if (directory === undefined) return;
    for await (const { name } of await opendir(directory)) {
      const owner = parseTemporaryName(name);
      if (owner !== undefined) await removeLitter(pathBelow(directory, name), owner.pid, now);
    }
  }

  /**
   * @param length  of the upload, where it is known
   * @returns the upload, which the caller discards in the end, or why there is none
   * @throws what the system says
   */
  async begin(length: Bytes | undefined, now: Milliseconds): Promise<BeginOutcome> {
    const directory = await this.#openDirectory();
    if (directory === undefined) return { kind: "unavailable" };
    const reserved = length ?? 0;
    if (!(await hasSpace(directory, reserved))) return { kind: "no-space" };
    if (!(await this.#quota.reserve(reserved, now))) return { kind: "no-space" };
    try {
      const account = { reserve: this.#quota.reserve.bind(this.#quota), settle: this.#settleIn(directory) };
      return { kind: "begun", upload: await IncomingUpload.open(directory, account, reserved) };
    } catch (error) {
      this.#quota.settle(reserved, 0);
      throw error;
    }
  }

  #settleIn(directory: AbsolutePath): UploadAccount["settle"] {
    return (reserved, stored) => {
      this.#quota.settle(reserved, stored);
      const isLimited = this.#site.rules.uploadQuota !== undefined;
      if (isLimited && stored > 0) this.#ledger.stored({ directory, size: bytes(stored) }, this.#quota);
    };
  }

  /** The URL path of a stored upload, percent-encoded; undefined when the directory lies outside the document root. */
  locationOf(directory: AbsolutePath, name: string): string | undefined {
    const root = this.#site.root.realPath();
    if (root === undefined || !contains(root, directory)) return undefined;
    const names = directory
      .slice(root.length)
      .split("/")
      .filter((part) => part !== "");
    return formatSitePath({ segments: [...names, name], directory: false });
  }

  /** Its real path, after it was made where it was missing; undefined without a document root. */
  async #openDirectory(): Promise<AbsolutePath | undefined> {
    const path = this.#path();
    if (path === undefined) return undefined;
    let directory = await this.#findDirectory();
    if (directory === undefined) {
      await mkdir(path, { recursive: true });
      directory = absolutePath(await realpath(path));
      // Else a crash of the machine could take it away with all that is in it. Where its parent may only be searched,
      // the system chooses the time.
      await syncDirectory(`${directory}/..`).catch(() => undefined);
    }
    if (this.#directory !== directory) this.#ledger.join(directory, this.#quota);
    this.#directory = directory;
    return directory;
  }

  /** Its real path; undefined when it is not there. */
  async #findDirectory(): Promise<AbsolutePath | undefined> {
    const path = this.#path();
    if (path === undefined) return undefined;
    try {
      // The final dot: anything but a directory is an error.
      return absolutePath(await realpath(`${path}/.`));
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  #path(): AbsolutePath | undefined {
    const { uploadDir } = this.#site.rules;
    if (uploadDir.startsWith("/")) return absolutePath(uploadDir);
    const root = this.#site.root.realPath();
    return root && pathBelow(root, uploadDir);
  }

  async #measure(): Promise<Bytes> {
    const directory = this.#directory;
    if (directory === undefined) return bytes(0);
    const names = (await readdir(directory)).filter(isUploadName);
    let sum = 0;
    for (let start = 0; start < names.length; start += MEASURED_TOGETHER) {
      const some = names.slice(start, start + MEASURED_TOGETHER);
      for (const size of await Promise.all(some.map((name) => sizeOf(pathBelow(directory, name))))) sum += size;
    }
    return bytes(sum);
  }
}

/** Where the bytes of an upload are accounted for. */
type UploadAccount = Pick<UploadQuota, "reserve" | "settle">;

/**
 * An upload while it arrives: a temporary file in the directory it will be stored in, so that it can be given its final
 * name there. It is removed in the end, whatever becomes of the upload.
 */
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

async function hasSpace(directory: AbsolutePath, count: number): Promise<boolean> {
  if (count === 0) return true;
  const { blocks, bavail, bsize } = await statfs(directory);
  // Some file systems of networks and of user space do not know how large they are.
  return blocks === 0 || count <= bavail * bsize;
}

/** 0 for what has gone meanwhile. */
async function sizeOf(path: AbsolutePath): Promise<number> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return 0;
    throw error;
  }
}

async function removeLitter(path: AbsolutePath, owner: number, now: UnixMilliseconds): Promise<void> {
  try {
    const isOld = now - (await lstat(path)).mtimeMs > LITTER_AGE_MS;
    // At start this process has made nothing yet: a file with its number is older.
    if (isOld || owner === process.pid || !isProcessAlive(owner)) await unlink(path);
  } catch (error) {
    // Another process of this server clears up at the same time.
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
