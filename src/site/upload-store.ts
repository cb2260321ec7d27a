/**
 * The directory of a site's uploads: created if missing, cleared of what a crash left, bounded by `upload-quota`.
 * Startup creates those named in the settings (system/upload-directories.ts). The first upload creates that of a host
 * directory, and one that was deleted. Where the sandbox does not allow that, the primary creates it and starts workers
 * that may write to it; uploads are refused until then. Symbolic links in its path are the operator's choice and are
 * followed.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, opendir, readdir, realpath, statfs, unlink } from "node:fs/promises";
import { type AbsolutePath, absolutePath, contains, pathBelow } from "../base/absolute-path.ts";
import { errorCode } from "../base/errors.ts";
import { type Bytes, bytes, type Milliseconds, type UnixMilliseconds } from "../base/units.ts";
import { formatTemporaryName, isUploadName, parseTemporaryName } from "../base/upload-name.ts";
import { formatSitePath } from "../http/site-path.ts";
import type { Site } from "./site.ts";
import { UploadLedger, UploadQuota } from "./upload-quota.ts";

/** No upload takes that long, in any process. */
const LITTER_AGE_MS = 24 * 60 * 60 * 1000;
/** Few enough that file-system threads stay free for file requests. */
const MEASURED_TOGETHER = 64;

const CREATE_FLAGS = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
const PRIVATE = 0o600;

export type BeginOutcome =
  | { readonly kind: "begun"; readonly upload: IncomingUpload }
  /** The quota or the disk has not enough room. */
  | { readonly kind: "no-space" }
  /** The document root does not exist, or the sandbox of this process does not reach the directory. */
  | { readonly kind: "unavailable" };

export class UploadStore {
  readonly #site: Site;
  readonly #quota: UploadQuota;
  readonly #ledger: UploadLedger;
  /** Where the last upload was stored. */
  #directory: AbsolutePath | undefined;

  constructor(site: Site, ledger: UploadLedger = new UploadLedger()) {
    this.#site = site;
    this.#ledger = ledger;
    this.#quota = new UploadQuota(site.rules.uploadQuota, () => this.#measure());
  }

  /**
   * Removes temporary files of dead processes, and very old ones.
   * @returns how many are left
   * @throws the system's error
   */
  async clearLitter(now: UnixMilliseconds, isDead: (pid: number) => boolean): Promise<number> {
    const directory = await this.#findDirectory();
    if (directory === undefined) return 0;
    let left = 0;
    for await (const { name } of await opendir(directory)) {
      const owner = parseTemporaryName(name);
      if (owner === undefined) continue;
      const path = pathBelow(directory, name);
      if (isDead(owner.pid) || (await isVeryOld(path, now))) await removeLitter(path);
      else left += 1;
    }
    return left;
  }

  /**
   * @param length  of the upload, where it is known
   * @returns the upload, which the caller must discard at the end, or why there is none
   * @throws the system's error
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

  /** Reports a directory that the sandbox of this process does not reach, or cannot create. */
  async isWithinReach(): Promise<boolean> {
    const path = this.#path();
    const { reach } = this.#site.root;
    if (path === undefined || reach === undefined) return true;
    if (reach.stores((await this.#findDirectory()) ?? path)) return true;
    reach.report(path);
    return false;
  }

  #settleIn(directory: AbsolutePath): UploadAccount["settle"] {
    return (reserved, stored) => {
      this.#quota.settle(reserved, stored);
      const isLimited = this.#site.rules.uploadQuota !== undefined;
      if (isLimited && stored > 0) this.#ledger.stored({ directory, size: bytes(stored) }, this.#quota);
    };
  }

  /** The URL path of a stored upload, percent-encoded; undefined when the directory is outside the document root. */
  locationOf(directory: AbsolutePath, name: string): string | undefined {
    const root = this.#site.root.realPath();
    if (root === undefined || !contains(root, directory)) return undefined;
    const names = directory
      .slice(root.length)
      .split("/")
      .filter((part) => part !== "");
    return formatSitePath({ segments: [...names, name], directory: false });
  }

  /** Its real path, created if missing; undefined without a document root and out of reach. */
  async #openDirectory(): Promise<AbsolutePath | undefined> {
    const path = this.#path();
    if (path === undefined || !(await this.isWithinReach())) return undefined;
    let directory = await this.#findDirectory();
    if (directory === undefined) {
      await mkdir(path, { recursive: true });
      directory = absolutePath(await realpath(path));
      // Otherwise a crash of the machine could lose the directory. If its parent is only searchable, the system chooses
      // when.
      await syncDirectory(`${directory}/..`).catch(() => undefined);
    }
    if (this.#directory !== directory) this.#ledger.join(directory, this.#quota);
    this.#directory = directory;
    return directory;
  }

  /** Its real path; undefined when it does not exist. */
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
    const state = this.#site.root.state();
    // In the former directory nobody would look for them.
    return state.kind === "present" ? pathBelow(state.path, uploadDir) : undefined;
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

/** Counts the bytes of an upload. */
type UploadAccount = Pick<UploadQuota, "reserve" | "settle">;

/** An upload while it arrives: a temporary file in its final directory, so that a link can name it there. */
export class IncomingUpload {
  /** Valid while the file exists. */
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
   * The caller must call `discard` at the end.
   * @param directory  its real path
   * @param reserved  bytes of the quota set aside for it
   * @throws the system's error
   */
  static async open(directory: AbsolutePath, account: UploadAccount, reserved: number): Promise<IncomingUpload> {
    const path = pathBelow(directory, formatTemporaryName(process.pid, randomHex()));
    const file = await open(path, CREATE_FLAGS, PRIVATE);
    return new IncomingUpload(path, directory, file, account, reserved);
  }

  /**
   * Resolves when the kernel has the bytes.
   * @returns whether the quota had room for them
   * @throws the system's error, such as ENOSPC
   */
  async append(bytes: Uint8Array, now: Milliseconds): Promise<boolean> {
    this.#received += bytes.length;
    const missing = this.#received - this.#reserved;
    if (missing > 0) {
      if (!(await this.#account.reserve(missing, now))) return false;
      this.#reserved += missing;
    }
    // A write may be short, when the disk becomes full or after a signal.
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, written);
      written += bytesWritten;
    }
    return true;
  }

  /** Called after the last byte. @throws the system's error: some file systems report a full disk only now */
  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#file.close();
  }

  /** It has its final name too: it now counts as stored. */
  keep(): void {
    this.#stored = this.#received;
  }

  /** Removes the temporary file. If that fails, the next start removes it. */
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
  // Some network and user-space file systems do not know their size.
  return blocks === 0 || count <= bavail * bsize;
}

/** 0 for a file that is gone. */
async function sizeOf(path: AbsolutePath): Promise<number> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return 0;
    throw error;
  }
}

/** False for a file that is gone. */
async function isVeryOld(path: AbsolutePath, now: UnixMilliseconds): Promise<boolean> {
  const found = await lstat(path).catch(ignoreMissing);
  return found !== undefined && now - found.mtimeMs > LITTER_AGE_MS;
}

async function removeLitter(path: AbsolutePath): Promise<void> {
  await unlink(path).catch(ignoreMissing);
}

/** Another process of this server clears up at the same time. */
function ignoreMissing(error: unknown): undefined {
  if (errorCode(error) !== "ENOENT") throw error;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
