/**
 * Confinement by the C library: chroot(2), capabilities, Landlock, and execve(2), which makes them hold for every thread.
 *
 * Landlock domains, capabilities and no_new_privs belong to a thread, and Node has several before the first line of a
 * program runs. A process confines all of them by confining its first thread and then executing itself again: execve(2)
 * ends every other thread, and those of the new program inherit.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { AllowedPlace, LandlockAttributes, LandlockRule } from "./landlock.ts";
import { type Bind, NativeError } from "./native-call.ts";
import { O_PATH } from "./native-files.ts";

export interface ConfinementCalls {
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
   * @returns what the paths of the rules led to
   * @throws NativeError also when a path of the rules is not there
   */
  restrict(attributes: LandlockAttributes, rules: readonly LandlockRule[]): readonly AllowedPlace[];
  /**
   * Executes another program in this process. Of the open descriptors only `descriptors` stay open.
   *
   * @throws NativeError when the system refuses; otherwise it does not return
   */
  execute(path: string, args: readonly string[], environment: NodeJS.ProcessEnv, descriptors: readonly number[]): never;
}

const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const MAX_CAPABILITY = 63;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
const F_SETFD = 2;
// The same numbers on every architecture.
const SYS_LANDLOCK_CREATE_RULESET = 444;
const SYS_LANDLOCK_ADD_RULE = 445;
const SYS_LANDLOCK_RESTRICT_SELF = 446;
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;

export function bindConfinement(bind: Bind): ConfinementCalls {
  const chroot = bind("chroot", "int chroot(const char *path)");
  const prctl = bind("prctl", "int prctl(int option, ulong a, ulong b, ulong c, ulong d)");
  const capget = bind("capget", "int capget(void *header, void *sets)");
  const capset = bind("capset", "int capset(void *header, const void *sets)");
  const fcntl = bind("fcntl", "int fcntl(int fd, int command, long argument)");
  const execve = bind("execve", "int execve(const char *path, const char **argv, const char **envp)");
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
        const allowed = rules.map(({ path, access }) => {
          const place = openSync(path, O_PATH | constants.O_RDONLY);
          try {
            const rule = Buffer.alloc(12);
            rule.writeBigUInt64LE(BigInt(access), 0);
            rule.writeInt32LE(place, 8);
            addRule(SYS_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0);
            const { dev, ino } = fstatSync(place);
            return { device: dev, inode: ino, access };
          } finally {
            closeSync(place);
          }
        });
        restrictSelf(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0);
        return allowed;
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
