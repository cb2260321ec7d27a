/**
 * The files that every contender serves: made once, the same for all, of bytes that do not compress.
 *
 * What a file holds follows from its path, so a check needs no list of what was written.
 */
import { createCipheriv, createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

const KIB = 1024;
const MIB = 1024 * KIB;
const PIECE = MIB;

export const DOCUMENTS = {
  "1k": [{ path: "/1k.txt", size: KIB }],
  "10k": [{ path: "/10k.txt", size: 10 * KIB }],
  "100k": [{ path: "/100k.txt", size: 100 * KIB }],
  "100m": [{ path: "/100m.bin", size: 100 * MIB }],
  many: Array.from({ length: 10_000 }, (_, index) => ({ path: pathOfMany(index), size: 4 * KIB })),
};

/** A hundred folders of a hundred files. The client forms the same paths: clients/random-files.lua. */
function pathOfMany(index) {
  return `/many/${String(Math.floor(index / 100)).padStart(2, "0")}/${String(index % 100).padStart(2, "0")}.txt`;
}

export function writeDocuments(folder, names) {
  for (const { path, size } of names.flatMap((name) => DOCUMENTS[name])) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    const descriptor = openSync(file, "w");
    for (const piece of piecesOf(path, size)) writeSync(descriptor, piece);
    closeSync(descriptor);
  }
}

export function checksumOf({ path, size }) {
  const hash = createHash("sha256");
  for (const piece of piecesOf(path, size)) hash.update(piece);
  return hash.digest("hex");
}

/** A key stream: as good as random, yet the same whenever it is asked for. */
function* piecesOf(path, size) {
  const key = createHash("sha256").update(path).digest();
  const stream = createCipheriv("aes-128-ctr", key.subarray(0, 16), key.subarray(16));
  const zeros = Buffer.alloc(Math.min(size, PIECE));
  for (let left = size; left > 0; left -= PIECE) yield stream.update(zeros.subarray(0, Math.min(left, PIECE)));
}
