/**
 * What only the C library can do: the one file that knows koffi, an optional dependency whose binaries come in its
 * package. Every function either does what it says or throws a `NativeError`; what a failure means is decided elsewhere.
 *
 * Landlock domains, capabilities and no_new_privs belong to a thread, and Node has several before the first line of a
 * program runs. A process confines all of them by confining its first thread and then executing itself anew: execve(2)
 * ends every other thread, and those of the new program inherit.
 */
import { closeSync, constants, openSync } from "node:fs";
import { getSystemErrorMap } from "node:util";
import type { AbsolutePath } from "../base/absolute-path.ts";

export type NativeResult =
  | { readonly kind: "native"; readonly native: Native }
  /** `why` completes the sentence "… is not possible: ". */
  | { readonly kind: "missing"; readonly why: string };

/** A call that the system refused. `code` is the name of the error, such as `EPERM`. */
export class NativeError extends Error {
  readonly code: string;

  constructor(call: string, code: string) {
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** What the three numbers of landlock_create_ruleset(2) handle; bits as in linux/landlock.h. */
export interface LandlockAttributes {
  readonly fileSystem: number;
  readonly network: number;
  readonly scoped: number;
}

/** Rights `access` on everything below `path`. */
export interface LandlockRule {
  readonly path: AbsolutePath;
  readonly access: number;
}

export interface Native {
  /** chroot(2), for the whole process. The working directory stays where it is: the caller changes it. */
  chroot(path: AbsolutePath): void;
  /** Of the calling thread, for good (PR_SET_NO_NEW_PRIVS). */
  forbidNewPrivileges(): void;
  /** Takes all capabilities but those of these numbers out of the bounding set of the calling thread, for good. */
  boundCapabilities(kept: readonly number[]): void;
  /** Gives up all capabilities of the calling thread but those of these numbers, as far as it has them. */
  limitCapabilities(kept: readonly number[]): void;
  /** 0 where the kernel has no Landlock, or it is switched off. */
  landlockVersion(): number;
  /** Whether the kernel knows everything that these attributes ask for. */
  acceptsLandlock(attributes: LandlockAttributes): boolean;
  /**
   * Puts the calling thread into a Landlock domain, for good.
   *
   * @throws NativeError also when a path of the rules is not there
   */
  restrict(attributes: LandlockAttributes, rules: readonly LandlockRule[]): void;
  /**
   * Executes another program in this process. Of the open descriptors only `descriptors` stay open.
   *
   * @throws NativeError when the system refuses; otherwise it does not return
   */
  execute(path: string, args: readonly string[], environment: NodeJS.ProcessEnv, descriptors: readonly number[]): never;
  /**
   * Opens what is called `name` in an open directory, to be closed on exec.
   *
   * @param name  one name, so that nothing but this very directory decides what is opened
   */
  openAt(directory: number, name: string, flags: number): number;
  /**
   * The next entries of a directory that is open for reading, as getdents64(2) writes them down.
   *
   * @returns how many bytes of the buffer are written; 0 at the end
   */
  readDirectory(directory: number, buffer: Buffer): number;
  /** Type, size and time of change of what is called `name` in an open directory, as statx(2) writes them down; of a link, its own. */
  statAt(directory: number, name: string, record: Buffer): void;
  /**
   * What lies at a path, as statx(2) writes it down.
   *
   * @param lastLink  whether a symbolic link at the end is followed, or itself what is asked for
   */
  statPath(path: AbsolutePath, lastLink: "follow" | "nofollow", record: Buffer): void;
  /** The soft and the hard limit of open descriptors; Infinity where there is none. */
  descriptorLimit(): DescriptorLimit;
  setDescriptorLimit(limit: DescriptorLimit): void;
  /** openlog(3) with LOG_PID. @param facility  its number, not shifted */
  openSyslog(name: string, facility: number): void;
  /** @param severity  0 emergency to 7 debug */
  syslog(severity: number, text: string): void;
  /**
   * One datagram to a Unix socket that another process has bound.
   *
   * @param address  a path, or an abstract name that begins with `@`
   * @throws NativeError `EAGAIN` when the receiver has too many to read: it never waits
   */
  sendDatagram(address: string, text: string): void;
}

export interface DescriptorLimit {
  readonly soft: number;
  readonly hard: number;
}

let loaded: Promise<NativeResult> | undefined;

/** Loads the C library at the first call; every call gives the same. */
export function loadNative(): Promise<NativeResult> {
  loaded ??= load();
  return loaded;
}

/** The part of koffi that is used. A function is called with numbers, texts, buffers and arrays of texts. */
interface Koffi {
  load(path: string | null): { func(prototype: string): (...args: unknown[]) => unknown };
  errno(): number;
}

// Not written as a literal: Comanche is compiled on machines that left optional dependencies out.
const PACKAGE: string = "koffi";

async function load(): Promise<NativeResult> {
  if (process.platform !== "linux") return { kind: "missing", why: `not on ${process.platform}` };
  try {
    const module: { default: Koffi } = await import(PACKAGE);
    return { kind: "native", native: bindNative(module.default) };
  } catch (error) {
    const isAbsent = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    const why = isAbsent ? "the optional package koffi is not installed" : `koffi cannot be loaded: ${String(error)}`;
    return { kind: "missing", why };
  }
}

const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const MAX_CAPABILITY = 63;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
const F_SETFD = 2;
const RLIMIT_NOFILE = 7;
const LOG_PID = 1;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const RLIM_INFINITY = 2n ** 64n - 1n;
// The same numbers on every architecture.
const SYS_LANDLOCK_CREATE_RULESET = 444;
const SYS_LANDLOCK_ADD_RULE = 445;
const SYS_LANDLOCK_RESTRICT_SELF = 446;
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;
/** From linux/fcntl.h: opens a place without any right to read it. Node has no name for it. */
export const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_NO_AUTOMOUNT = 0x800;
/** STATX_TYPE, STATX_MTIME and STATX_SIZE. */
const STATX_LISTED = 0x241;
/** Mode, inode, size and the times of modification and change. */
const STATX_COMPARED = 0x3c3;
/** A path that is relative begins at the working directory; ours never are. */
const AT_FDCWD = -100;
// By its number, for every architecture koffi is made for: glibc has had a name for it only since 2.30, musl has another.
const SYS_GETDENTS64: ReadonlyMap<string, number> = new Map([
  ["arm", 217],
  ["arm64", 61],
  ["ia32", 220],
  ["loong64", 61],
  ["riscv64", 61],
  ["x64", 217],
]);

function bindNative(koffi: Koffi): Native {
  const library = koffi.load(null);
  /** A function of the C library that returns -1 and sets errno when it fails. */
  const bind = (name: string, prototype: string): ((...args: unknown[]) => number) => {
    const call = library.func(prototype);
    return (...args) => {
      const result = Number(call(...args));
      if (result === -1) throw new NativeError(name, errorName(koffi.errno()));
      return result;
    };
  };
  const chroot = bind("chroot", "int chroot(const char *path)");
  const prctl = bind("prctl", "int prctl(int option, ulong a, ulong b, ulong c, ulong d)");
  const capget = bind("capget", "int capget(void *header, void *sets)");
  const capset = bind("capset", "int capset(void *header, const void *sets)");
  const fcntl = bind("fcntl", "int fcntl(int fd, int command, long argument)");
  const execve = bind("execve", "int execve(const char *path, const char **argv, const char **envp)");
  const getrlimit = bind("getrlimit", "int getrlimit(int resource, _Out_ uint64_t *limits)");
  const setrlimit = bind("setrlimit", "int setrlimit(int resource, const uint64_t *limits)");
  const createRuleset = bind(
    "landlock_create_ruleset",
    "long syscall(long number, void *attributes, size_t size, uint32_t flags)",
  );
  const openRuleset = ({ fileSystem, network, scoped }: LandlockAttributes): number => {
    const attributes = Buffer.alloc(24);
    attributes.writeBigUInt64LE(BigInt(fileSystem), 0);
    attributes.writeBigUInt64LE(BigInt(network), 8);
    attributes.writeBigUInt64LE(BigInt(scoped), 16);
    // An older kernel knows a shorter structure, and takes a longer one only if what it does not know is zero.
    return createRuleset(SYS_LANDLOCK_CREATE_RULESET, attributes, attributes.length, 0);
  };
  const addRule = bind(
    "landlock_add_rule",
    "long syscall(long number, int ruleset, int type, void *rule, uint32_t flags)",
  );
  const restrictSelf = bind("landlock_restrict_self", "long syscall(long number, int ruleset, uint32_t flags)");
  const socket = bind("socket", "int socket(int domain, int type, int protocol)");
  const sendto = bind(
    "sendto",
    "long sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t size)",
  );
  const openat = bind("openat", "int openat(int directory, const char *name, int flags, uint32_t mode)");
  const getdents64 = bind("getdents64", "long syscall(long number, int directory, void *buffer, size_t size)");
  const statx = bind("statx", "int statx(int directory, const char *name, int flags, uint32_t wanted, void *record)");
  const openlog = library.func("void openlog(const char *name, int option, int facility)");
  const syslog = library.func("void syslog(int priority, const char *format, const char *text)");
  // openlog(3) keeps the pointer it is given, so the text must outlive the call.
  let syslogName: Buffer;

  return {
    chroot: (path) => void chroot(path),
    forbidNewPrivileges: () => void prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
    boundCapabilities(kept) {
      for (let capability = 0; capability <= MAX_CAPABILITY; capability++) {
        if (kept.includes(capability) || !isInBoundingSet(prctl, capability)) continue;
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
      }
    },
    limitCapabilities(kept) {
      const header = Buffer.alloc(8);
      header.writeUInt32LE(LINUX_CAPABILITY_VERSION_3, 0);
      // Effective, permitted and inheritable, of capabilities 0 to 31 and again of 32 to 63.
      const sets = new Uint32Array(6);
      capget(header, sets);
      for (const half of [0, 1]) {
        const keptHere = kept.filter((capability) => capability >> 5 === half);
        const mask = keptHere.reduce((sum, capability) => (sum | (1 << (capability & 31))) >>> 0, 0);
        const permitted = (sets[half * 3 + 1] ?? 0) & mask;
        sets.set([permitted, permitted, 0], half * 3);
      }
      // The ambient ones go with the inheritable ones.
      capset(header, sets);
    },
    landlockVersion() {
      try {
        return createRuleset(SYS_LANDLOCK_CREATE_RULESET, null, 0, LANDLOCK_CREATE_RULESET_VERSION);
      } catch {
        // ENOSYS: the kernel is too old; EOPNOTSUPP: it was started without it; EPERM: a container forbids it.
        return 0;
      }
    },
    acceptsLandlock(attributes) {
      try {
        closeSync(openRuleset(attributes));
        return true;
      } catch {
        return false;
      }
    },
    restrict(attributes, rules) {
      const ruleset = openRuleset(attributes);
      try {
        for (const { path, access } of rules) {
          const place = openSync(path, O_PATH | constants.O_RDONLY);
          try {
            const rule = Buffer.alloc(12);
            rule.writeBigUInt64LE(BigInt(access), 0);
            rule.writeInt32LE(place, 8);
            addRule(SYS_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0);
          } finally {
            closeSync(place);
          }
        }
        restrictSelf(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0);
      } finally {
        closeSync(ruleset);
      }
    },
    execute(path, args, environment, descriptors) {
      // libuv has marked every descriptor that was inherited to be closed on exec.
      for (const descriptor of descriptors) fcntl(descriptor, F_SETFD, 0);
      const entries = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
      execve(path, [...args, null], [...entries, null]);
      throw new NativeError("execve", "unknown");
    },
    openAt: (directory, name, flags) => openat(directory, name, flags | O_CLOEXEC, 0),
    readDirectory(directory, buffer) {
      const number = SYS_GETDENTS64.get(process.arch);
      if (number === undefined) throw new NativeError("getdents64", "ENOSYS");
      return getdents64(number, directory, buffer, buffer.length);
    },
    statAt(directory, name, record) {
      statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_LISTED, record);
    },
    statPath(path, lastLink, record) {
      const flags = lastLink === "nofollow" ? AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT : AT_NO_AUTOMOUNT;
      statx(AT_FDCWD, path, flags, STATX_COMPARED, record);
    },
    descriptorLimit() {
      const limits = new BigUint64Array(2);
      getrlimit(RLIMIT_NOFILE, limits);
      const [soft, hard] = Array.from(limits, (limit) => (limit === RLIM_INFINITY ? Infinity : Number(limit)));
      return { soft: soft ?? 0, hard: hard ?? 0 };
    },
    setDescriptorLimit({ soft, hard }) {
      const limits = [soft, hard].map((limit) => (limit === Infinity ? RLIM_INFINITY : BigInt(limit)));
      setrlimit(RLIMIT_NOFILE, new BigUint64Array(limits));
    },
    openSyslog(name, facility) {
      syslogName = Buffer.from(`${name}\0`);
      openlog(syslogName, LOG_PID, facility << 3);
    },
    syslog: (severity, text) => void syslog(severity, "%s", text),
    sendDatagram(address, text) {
      const descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      try {
        const name = unixSocketName(address);
        const bytes = Buffer.from(text);
        sendto(descriptor, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, name, name.length);
      } finally {
        closeSync(descriptor);
      }
    },
  };
}

function isInBoundingSet(prctl: (...args: unknown[]) => number, capability: number): boolean {
  try {
    return prctl(PR_CAPBSET_READ, capability, 0, 0, 0) === 1;
  } catch {
    // EINVAL: the kernel does not know a capability of that number.
    return false;
  }
}

/** struct sockaddr_un. An abstract name begins with a NUL byte and ends with the structure. */
function unixSocketName(address: string): Buffer {
  const isAbstract = address.startsWith("@");
  const path = isAbstract ? Buffer.from(`\0${address.slice(1)}`) : Buffer.from(`${address}\0`);
  const name = Buffer.alloc(2 + path.length);
  name.writeUInt16LE(AF_UNIX, 0);
  path.copy(name, 2);
  return name;
}

function errorName(number: number): string {
  return getSystemErrorMap().get(-number)?.[0] ?? `error ${number}`;
}
