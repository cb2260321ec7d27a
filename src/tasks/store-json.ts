/**
 * The task "store-json": checks a complete upload, makes it durable and gives it its final name. The upload is stored
 * whole, under a new name, or not at all: `link` neither overwrites nor shows half a file, and only what is on the disk
 * with its directory counts as stored. The text is read in pieces and builds no value, so memory does not depend on it.
 * It blocks its thread while it waits for the disk: the promises of `node:fs` would occupy the process's few
 * file-system threads, and no other file could be read while those flush.
 */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, constants, fchmodSync, fsyncSync, linkSync, openSync, readSync, unlinkSync } from "node:fs";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode, storageFailureOf } from "../base/errors.ts";
import { type Bytes, bytes, type UnixMilliseconds } from "../base/units.ts";
import { formatUploadName } from "../base/upload-name.ts";
import type { Digest } from "../http/content-digest.ts";
import { type JsonFault, JsonSyntax } from "./json-syntax.ts";

export interface StoreJsonInput {
  /** The complete upload under its temporary name, in `directory`. The caller always removes it. */
  readonly temporary: AbsolutePath;
  readonly directory: AbsolutePath;
  /** Makes the name, in local time. */
  readonly receivedAt: UnixMilliseconds;
  /** Permissions of the stored file, computed at start: a thread cannot read the umask safely. */
  readonly mode: number;
  /** From the client; every one must match. */
  readonly digests: readonly Digest[];
}

export type StoreJsonOutput =
  /** On disk under its final, new name. `sha256` in lower-case hexadecimal. */
  | { readonly kind: "stored"; readonly name: string; readonly size: Bytes; readonly sha256: string }
  | { readonly kind: "not-json"; readonly fault: JsonFault }
  | { readonly kind: "digest-mismatch" }
  | { readonly kind: "no-space" }
  | { readonly kind: "unavailable" };

const PIECE_BYTES = 64 * 1024;
const MAX_NAMES_TRIED = 1000;
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW;

type Examination =
  | { readonly kind: "json"; readonly size: Bytes; readonly sha256: string }
  | Extract<StoreJsonOutput, { kind: "not-json" | "digest-mismatch" }>;

/**
 * @param makeSuffix  hexadecimal, distinguishes uploads of one second: called again while the name exists
 * @throws only for our own faults; a full or failing disk is part of the output
 */
export function storeJson(input: StoreJsonInput, makeSuffix: () => string = randomSuffix): StoreJsonOutput {
  let file: number | undefined;
  try {
    file = openSync(input.temporary, READ_FLAGS);
    const found = examine(file, input.digests);
    if (found.kind !== "json") return found;

    fchmodSync(file, input.mode);
    fsyncSync(file);
    const name = linkUnderNewName(input, makeSuffix);
    if (name === undefined) return { kind: "unavailable" };
    return { kind: "stored", name, size: found.size, sha256: found.sha256 };
  } catch (error) {
    const failure = storageFailureOf(error);
    if (failure === undefined) throw error;
    return { kind: failure };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** A wrong digest is reported first: content that was damaged on its way need not be JSON. */
function examine(file: number, digests: readonly Digest[]): Examination {
  const syntax = new JsonSyntax();
  const sha256 = createHash("sha256");
  const sha512 = digests.some(({ algorithm }) => algorithm === "sha-512") ? createHash("sha512") : undefined;
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let size = 0;
  for (;;) {
    const length = readSync(file, piece, 0, PIECE_BYTES, null);
    if (length === 0) break;
    const read = piece.subarray(0, length);
    size += length;
    sha256.update(read);
    sha512?.update(read);
    const fault = syntax.push(read);
    if (fault !== undefined && digests.length === 0) return { kind: "not-json", fault };
  }
  const found = { "sha-256": sha256.digest(), "sha-512": sha512?.digest() };
  if (!digests.every(({ algorithm, value }) => found[algorithm]?.equals(value))) return { kind: "digest-mismatch" };
  const fault = syntax.end();
  if (fault !== undefined) return { kind: "not-json", fault };
  return { kind: "json", size: bytes(size), sha256: found["sha-256"].toString("hex") };
}

/** @returns undefined when no name was free */
function linkUnderNewName(input: StoreJsonInput, makeSuffix: () => string): string | undefined {
  for (let tried = 0; tried < MAX_NAMES_TRIED; tried += 1) {
    const name = formatUploadName(input.receivedAt, makeSuffix());
    const path = `${input.directory}/${name}`;
    if (!isLinked(input.temporary, path)) continue;
    try {
      syncDirectory(input.directory);
    } catch (error) {
      // The response will say that nothing was stored, so nothing may be left.
      unlinkSync(path);
      throw error;
    }
    return name;
  }
  return undefined;
}

/** False when the name exists. */
function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(directory);
  } catch (error) {
    // A file system that cannot flush directories does so by itself, or never.
    if (errorCode(error) !== "EINVAL") throw error;
  } finally {
    closeSync(directory);
  }
}

function randomSuffix(): string {
  return randomBytes(2).toString("hex");
}
