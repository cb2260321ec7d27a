/**
 * The sandbox of the worker processes: looks up what the plan needs to know, and carries the plan out.
 */
import { type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { errorCode, StartupError } from "../base/errors.ts";
import { type Settings, servesSites } from "../config/settings.ts";
import { canAccess, currentAccount, runAs } from "./account.ts";
import { decideVersion, FILE_RIGHTS, type LandlockRule } from "./landlock.ts";
import { loadNative, type Native, type NativeResult } from "./native.ts";
import type { PrivilegePlan } from "./privilege-plan.ts";
import { findRuntimeRules, packagePaths, realPath } from "./runtime-paths.ts";
import { type Confinement, planSandbox, type SandboxFacts, type SandboxPlan } from "./sandbox-plan.ts";
import { outsidePath, uploadDirectories } from "./upload-directories.ts";

/**
 * To be called after the upload directories were made: one that is missing cannot be written to later.
 *
 * @throws StartupError when `sandbox = yes` and a part of it is not possible
 */
export async function prepareSandbox(settings: Settings, privileges: PrivilegePlan): Promise<SandboxPlan> {
  const decision = planSandbox(settings, privileges, readFacts(settings, privileges, await loadNative()));
  if (decision.kind === "refused") throw new StartupError(decision.reason);
  return decision.plan;
}

/**
 * Confines the calling thread, for good; a program that is then executed is confined with all its threads.
 *
 * @throws NativeError when the system refuses. The process must end then
 */
export function confine(native: Native, { keptCapabilities, landlock }: Confinement): void {
  native.forbidNewPrivileges();
  boundCapabilities(native, keptCapabilities);
  // After this, no rule can be made for what is closed to root without capabilities: so they go last.
  if (landlock !== undefined) {
    const rules = [...landlock.rules, ...findRuntimeRules(process.env)].flatMap(fitRule);
    native.restrict(landlock.attributes, rules);
  }
  native.limitCapabilities(keptCapabilities);
}

function boundCapabilities(native: Native, kept: readonly number[]): void {
  try {
    native.boundCapabilities(kept);
  } catch (error) {
    // An ordinary user may not, nor root of a container that has no CAP_SETPCAP. Then what is not permitted stays so by
    // no_new_privs alone.
    if (errorCode(error) !== "EPERM") throw error;
  }
}

/** A rule for what is there, saying no more than the kernel takes for it. What is missing, or goes meanwhile, is not allowed. */
function fitRule({ path, access }: LandlockRule): readonly LandlockRule[] {
  const found = look(path);
  if (found === undefined) return [];
  return [{ path, access: found.isDirectory() ? access : access & FILE_RIGHTS }];
}

function readFacts(settings: Settings, privileges: PrivilegePlan, loaded: NativeResult): SandboxFacts {
  const account = currentAccount();
  const served = servedFolders(settings, privileges);
  const places = uploadDirectories(settings).flatMap(({ path, kind }) => {
    const outside = locate(privileges, path);
    return outside !== undefined && look(outside)?.isDirectory() ? [{ kind, path: outside }] : [];
  });
  const pathsOf = (wanted: string) => places.filter(({ kind }) => kind === wanted).map(({ path }) => path);
  const uploads = pathsOf("directory");
  return {
    calls: loaded.kind === "missing" ? loaded : { kind: "native", version: readVersion(loaded.native) },
    isRoot: account.uid === 0,
    served,
    holders: served.flatMap(holdersOf),
    uploads,
    uploadTrees: pathsOf("tree"),
    closed: [...PROGRAM, ...served].filter((path) => !canAccess(account, path, "read")),
    unwritable: uploads.filter((path) => !canAccess(account, path, "write")),
  };
}

const PROGRAM: readonly AbsolutePath[] = [
  absolutePath(process.execPath),
  ...packagePaths(fileURLToPath(import.meta.url)).map(absolutePath),
];

function readVersion(native: Native): number {
  return decideVersion(native.landlockVersion(), (attributes) => native.acceptsLandlock(attributes));
}

function servedFolders(settings: Settings, privileges: PrivilegePlan): readonly AbsolutePath[] {
  if (!servesSites(settings)) return [];
  const { main, virtualHosts } = settings;
  const docbases = [main, ...virtualHosts.values()].map(({ docbase }) => locate(privileges, docbase));
  return [...new Set(docbases.filter((docbase) => docbase !== undefined))];
}

/** Where a path of the settings lies outside a chroot; undefined when that cannot be said. */
function locate({ chroot, account }: PrivilegePlan, path: AbsolutePath): AbsolutePath | undefined {
  try {
    return runAs(account, () => outsidePath(chroot, path));
  } catch {
    return undefined;
  }
}

/** Folders in which everybody has something. A docbase just below them is not replaced without a reload. */
const SHARED: ReadonlySet<string> = new Set(
  "/ /bin /boot /dev /etc /home /lib /mnt /proc /root /run /sbin /sys /tmp /usr /var /var/lib /var/tmp".split(" "),
);
const OTHERS_LIST_AND_ENTER = 0o005;

/** Of the name and of the folder that it leads to. One that others may not list holds more than what is served. */
function holdersOf(docbase: AbsolutePath): readonly AbsolutePath[] {
  const holders = new Set([docbase, realPath(docbase)].map((path) => dirname(path)));
  return [...holders]
    .filter((holder) => !SHARED.has(holder))
    .filter((holder) => ((look(holder)?.mode ?? 0) & OTHERS_LIST_AND_ENTER) === OTHERS_LIST_AND_ENTER)
    .map(absolutePath);
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
