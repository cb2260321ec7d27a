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
import { FormerPlaces, type Place } from "./former-places.ts";
import { type AllowedPlace, decideVersion, FILE_RIGHTS, type LandlockRule } from "./landlock.ts";
import { loadNative, type Native, type NativeResult } from "./native.ts";
import type { PrivilegePlan } from "./privilege-plan.ts";
import { findRuntimeRules, packagePaths, realPath } from "./runtime-paths.ts";
import {
  type Confinement,
  type LandlockConfinement,
  planSandbox,
  type SandboxFacts,
  type SandboxPlan,
} from "./sandbox-plan.ts";
import { outsidePath, uploadDirectories } from "./upload-directories.ts";

export interface PreparedSandbox extends SandboxPlan {
  /** The docbases and upload directories, outside a chroot, and where they lead; undefined: to no folder. */
  readonly places: ReadonlyMap<AbsolutePath, Place | undefined>;
  /** What the rules allow, each in a few words that name the very folder. */
  readonly extent: ReadonlySet<string>;
}

/**
 * To be called after the upload directories were made: one that is missing cannot be written to later.
 *
 * @param former  what was looked up earlier; this look is noted there
 * @throws StartupError when `sandbox = yes` and a part of it is not possible
 */
export async function prepareSandbox(
  settings: Settings,
  privileges: PrivilegePlan,
  former: FormerPlaces = new FormerPlaces(),
): Promise<PreparedSandbox> {
  const loaded = await loadNative();
  const places = lookAtPlaces(settings, privileges, former);
  const decision = planSandbox(settings, privileges, readFacts(settings, privileges, loaded, former));
  if (decision.kind === "refused") throw new StartupError(decision.reason);
  const rules = decision.plan.confinement?.landlock?.rules ?? [];
  return { ...decision.plan, places, extent: new Set(rules.map(describeRule)) };
}

/** Notes where the docbases and upload directories lead now. */
export function lookAtPlaces(
  settings: Settings,
  privileges: PrivilegePlan,
  former: FormerPlaces,
): PreparedSandbox["places"] {
  const uploads = uploadDirectories(settings).map(({ path }) => locate(privileges, path));
  const names = [...servedFolders(settings, privileges), ...uploads].filter((name) => name !== undefined);
  return runAs(privileges.account, () => new Map(names.map((name) => [name, former.look(name)])));
}

function describeRule({ path, access }: LandlockRule): string {
  const found = look(path);
  return `${path} ${access} ${found?.dev}:${found?.ino}`;
}

/**
 * Confines the calling thread, for good; a program that is then executed is confined with all its threads.
 *
 * @returns the places that may be used; undefined where Landlock limits none
 * @throws NativeError when the system refuses. The process must end then
 */
export function confine(
  native: Native,
  { keptCapabilities, landlock }: Confinement,
): readonly AllowedPlace[] | undefined {
  native.forbidNewPrivileges();
  boundCapabilities(native, keptCapabilities);
  const allowed = landlock === undefined ? undefined : restrict(native, landlock);
  // Last: after this, no rule can be made for what is closed to root without capabilities.
  native.limitCapabilities(keptCapabilities);
  return allowed;
}

function restrict(native: Native, { attributes, rules }: LandlockConfinement): readonly AllowedPlace[] {
  const all = [...rules, ...findRuntimeRules(process.env)].flatMap(fitRule);
  return native.restrict(attributes, all);
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

function readFacts(
  settings: Settings,
  privileges: PrivilegePlan,
  loaded: NativeResult,
  former: FormerPlaces,
): SandboxFacts {
  const account = currentAccount();
  const withFormer = (names: readonly AbsolutePath[]): readonly AbsolutePath[] =>
    runAs(privileges.account, () => [...names, ...names.flatMap((name) => placesOf(name, former))]);
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
    served: withFormer(served),
    holders: served.flatMap(holdersOf),
    uploads: withFormer(uploads),
    uploadTrees: withFormer(pathsOf("tree")),
    closed: [...PROGRAM, ...served].filter((path) => !canAccess(account, path, "read")),
    unwritable: uploads.filter((path) => !canAccess(account, path, "write")),
  };
}

/** The present place too: the name may lead elsewhere when the rule for it is made. */
function placesOf(name: AbsolutePath, former: FormerPlaces): readonly AbsolutePath[] {
  const now = former.look(name);
  return [...(now === undefined ? [] : [now.path]), ...former.formerOf(name)];
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
