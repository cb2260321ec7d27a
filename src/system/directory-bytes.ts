/**
 * How the kernel writes down a directory and the facts of a file: struct linux_dirent64 of getdents64(2) and struct statx of
 * statx(2). Both are laid out alike on every architecture; numbers stand in the order of bytes of the machine, which is
 * little-endian wherever koffi runs.
 */
import type { FileStat } from "../site/file-stat.ts";
import type { EntryFacts } from "../tasks/open-directory.ts";

/** Of struct statx. */
export const STATX_BYTES = 256;

// struct linux_dirent64 { u64 d_ino; s64 d_off; u16 d_reclen; u8 d_type; char d_name[]; }
const RECORD_LENGTH_AT = 16;
const NAME_AT = 19;
const NUL = 0;

// struct statx { … u16 stx_mode; … u64 stx_ino; u64 stx_size; … struct { s64 tv_sec; u32 tv_nsec; … } stx_ctime, stx_mtime; …
// u32 stx_dev_major; u32 stx_dev_minor; … }
const MODE_AT = 28;
const INODE_AT = 32;
const SIZE_AT = 40;
const CHANGED_AT = 96;
const MODIFIED_AT = 112;
const DEVICE_MAJOR_AT = 136;
const DEVICE_MINOR_AT = 140;

const TYPE_BITS = 0o170000;
const LINK_TYPE = 0o120000;
const KINDS: ReadonlyMap<number, EntryFacts["kind"]> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [LINK_TYPE, "link"],
]);

/**
 * The names in these records but `.` and `..`, each byte one character (Latin-1).
 *
 * @param records  what one call of getdents64(2) has written
 * @throws when a record does not end where it says, which is the kernel's fault or ours
 */
export function parseDirectoryNames(records: Buffer): string[] {
  const names: string[] = [];
  let start = 0;
  while (start + NAME_AT < records.length) {
    const next = start + records.readUInt16LE(start + RECORD_LENGTH_AT);
    const end = records.indexOf(NUL, start + NAME_AT);
    if (end === -1 || end >= next) break;
    const name = records.toString("latin1", start + NAME_AT, end);
    if (name !== "." && name !== "..") names.push(name);
    start = next;
  }
  if (start !== records.length) throw new Error(`no directory entry at byte ${start} of ${records.length}`);
  return names;
}

/** @param record  one struct statx */
export function parseStatx(record: Buffer): EntryFacts {
  return {
    kind: KINDS.get(record.readUInt16LE(MODE_AT) & TYPE_BITS) ?? "other",
    size: readNumber(record, SIZE_AT),
    modified: readMilliseconds(record, MODIFIED_AT),
  };
}

/** @param record  one struct statx */
export function parseLook(record: Buffer): FileStat {
  return {
    device: deviceNumber(record.readUInt32LE(DEVICE_MAJOR_AT), record.readUInt32LE(DEVICE_MINOR_AT)),
    inode: readNumber(record, INODE_AT),
    size: readNumber(record, SIZE_AT),
    modifiedMs: readMilliseconds(record, MODIFIED_AT),
    changedMs: readMilliseconds(record, CHANGED_AT),
    isLink: (record.readUInt16LE(MODE_AT) & TYPE_BITS) === LINK_TYPE,
  };
}

/** As makedev(3) packs it, which is how fs.Stats has it: 12 + 20 bits of each, interleaved. */
function deviceNumber(major: number, minor: number): number {
  const low = (minor & 0xff) + (major & 0xfff) * 2 ** 8 + (minor >>> 8) * 2 ** 20;
  return low + (major >>> 12) * 2 ** 44;
}

function readNumber(record: Buffer, at: number): number {
  return record.readUInt32LE(at) + record.readUInt32LE(at + 4) * 2 ** 32;
}

/** Also before 1970 the nanoseconds count forwards. */
function readMilliseconds(record: Buffer, at: number): number {
  const wholeSeconds = record.readUInt32LE(at) + record.readInt32LE(at + 4) * 2 ** 32;
  return wholeSeconds * 1000 + record.readUInt32LE(at + 8) / 1e6;
}
