/**
 * What is stored in upload directories that others store in too: other sites of this process, and other processes of this
 * server. Each counts what it has stored, tells the others, and hears of theirs, so that a quota holds for all together;
 * only what is under way at the same moment in another process is not known.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { Bytes } from "../base/units.ts";
import type { UploadQuota } from "./upload-quota.ts";

export interface StoredUpload {
  /** Its real path. */
  readonly directory: AbsolutePath;
  readonly size: Bytes;
}

export class UploadLedger {
  readonly #quotas = new Map<AbsolutePath, Set<UploadQuota>>();
  readonly #tell: (upload: StoredUpload) => void;

  /** @param tell  passes it on to the other processes */
  constructor(tell: (upload: StoredUpload) => void = () => undefined) {
    this.#tell = tell;
  }

  /** The quota is told of what others store in the directory from now on. */
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
