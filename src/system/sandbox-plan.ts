/**
 * What a worker process is held to: what it may read and write (Landlock), that it never gains rights (no_new_privs), and
 * which capabilities it keeps. Decided here from facts; looked up and done in sandbox.ts.
 *
 * A docbase may be read, and so may the folder that holds it: where a docbase is replaced by renaming, or its link is
 * turned to another folder, the next request is served from the new one, which a rule on the old one would not allow.
 * No folder further up is allowed: what holds all releases of a program holds its secrets too. A docbase that moves out of
 * these folders, and an upload directory that was made again, need new worker processes (primary/sandbox-renewal.ts).
 */
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { type Settings, servesSites } from "../config/settings.ts";
import {
  attributesOf,
  describeGaps,
  FIRST_COMPLETE_VERSION,
  type FreedRight,
  type LandlockAttributes,
  type LandlockRule,
  MAY_READ,
  MAY_STORE,
  MAY_STORE_BELOW,
} from "./landlock.ts";
import type { PrivilegePlan } from "./privilege-plan.ts";

/** Plain data: it travels to the worker. What the program itself needs is added there. */
export interface Confinement {
  /** By number. None of them survives a change from root to another user. */
  readonly keptCapabilities: readonly number[];
  /** Undefined where the kernel has no Landlock. */
  readonly landlock: LandlockConfinement | undefined;
}

export interface LandlockConfinement {
  readonly attributes: LandlockAttributes;
  readonly rules: readonly LandlockRule[];
}

export interface SandboxPlan {
  /** Undefined: the worker is not confined. */
  readonly confinement: Confinement | undefined;
  /** One line for the start: which limits are active, which are not, and why. */
  readonly notice: string;
}

export type SandboxDecision =
  | { readonly kind: "plan"; readonly plan: SandboxPlan }
  /** `reason`: a sentence for the operator. */
  | { readonly kind: "refused"; readonly reason: string };

/** Paths are as seen from outside a chroot. */
export interface SandboxFacts {
  /** `version`: of Landlock; 0 where the kernel has none. */
  readonly calls:
    | { readonly kind: "native"; readonly version: number }
    | { readonly kind: "missing"; readonly why: string };
  readonly isRoot: boolean;
  /** The docbases, and where they led before. */
  readonly served: readonly AbsolutePath[];
  /** The folders that hold the docbases, as far as the worker may read them. */
  readonly holders: readonly AbsolutePath[];
  /** Those that are there, and where they led before. */
  readonly uploads: readonly AbsolutePath[];
  /** Folders whose hosts have an upload directory each, which may be made at any time. */
  readonly uploadTrees: readonly AbsolutePath[];
  /** What root needs a capability for, because it belongs to others and is closed: to be read. */
  readonly closed: readonly AbsolutePath[];
  /** The same, to be written. */
  readonly unwritable: readonly AbsolutePath[];
}

// linux/capability.h
const CAP_DAC_OVERRIDE = 1;
const CAP_DAC_READ_SEARCH = 2;
const CAP_SETGID = 6;
const CAP_SETUID = 7;
const CAP_SYS_CHROOT = 18;

const EVERYTHING = absolutePath("/");

/** @param settings  of which `sandbox`, whether there are sites, their link rules, and the backends of terminators count */
export function planSandbox(settings: Settings, privileges: PrivilegePlan, facts: SandboxFacts): SandboxDecision {
  const { sandbox } = settings.server;
  const { calls } = facts;
  if (sandbox === "no") return planNone("sandbox = no");
  if (calls.kind === "missing") {
    return sandbox === "yes" ? refuse(`is not possible: ${calls.why}`) : planNone(calls.why);
  }
  const exceptions = keptForRoot(privileges, facts);
  if (sandbox === "yes") {
    const obstacle = findObstacle(calls.version, exceptions);
    if (obstacle !== undefined) return refuse(obstacle);
  }
  const readsEverything = privileges.chroot === undefined && servesSites(settings) && followsAllLinks(settings);
  const freed = freedForBackends(settings);
  const confinement: Confinement = {
    keptCapabilities: [...keptForChange(privileges), ...exceptions.map(({ capability }) => capability)],
    landlock:
      calls.version === 0
        ? undefined
        : { attributes: attributesOf(calls.version, freed), rules: planRules(privileges, facts, readsEverything) },
  };
  const parts = [
    describeLandlock(calls.version, facts, readsEverything) + (calls.version === 0 ? "" : describeFreed(freed)),
    "no new privileges",
    describeCapabilities(exceptions),
  ];
  return { kind: "plan", plan: { confinement, notice: `sandbox: ${parts.join("; ")}` } };
}

/** A capability that root keeps for good, and what for. */
interface KeptCapability {
  readonly capability: number;
  readonly name: string;
  readonly path: AbsolutePath;
  readonly purpose: "read" | "write";
}

/** Root who stays root, and serves what is not open to root without capabilities, keeps what that needs. */
function keptForRoot({ account }: PrivilegePlan, facts: SandboxFacts): readonly KeptCapability[] {
  if (!facts.isRoot || account !== undefined) return [];
  const [closed] = facts.closed;
  const [unwritable] = facts.unwritable;
  return [
    ...(closed === undefined
      ? []
      : [{ capability: CAP_DAC_READ_SEARCH, name: "CAP_DAC_READ_SEARCH", path: closed, purpose: "read" } as const]),
    ...(unwritable === undefined
      ? []
      : [{ capability: CAP_DAC_OVERRIDE, name: "CAP_DAC_OVERRIDE", path: unwritable, purpose: "write" } as const]),
  ];
}

/** What is needed until the worker has changed its user, which takes them all away: also to load a program that is not root's. */
function keptForChange({ chroot, account }: PrivilegePlan): readonly number[] {
  if (account === undefined) return [];
  return [CAP_DAC_READ_SEARCH, CAP_SETGID, CAP_SETUID, ...(chroot === undefined ? [] : [CAP_SYS_CHROOT])];
}

function planRules(
  { chroot }: PrivilegePlan,
  { served, holders, uploads, uploadTrees }: SandboxFacts,
  readsEverything: boolean,
): readonly LandlockRule[] {
  const allow = (access: number) => (path: AbsolutePath) => ({ path, access });
  // Inside a chroot there is nothing but what is meant to be served.
  const readable = chroot !== undefined ? [chroot] : readsEverything ? [EVERYTHING] : [...served, ...holders];
  return [
    ...[...new Set(readable)].map(allow(MAY_READ)),
    ...[...new Set(uploads)].map(allow(MAY_STORE)),
    ...[...new Set(uploadTrees)].map(allow(MAY_STORE_BELOW)),
  ];
}

/** What a worker must be able to do to reach the backends of terminators. */
function freedForBackends({ terminators }: Settings): readonly FreedRight[] {
  const kinds = new Set([...terminators.values()].map(({ backend }) => backend.kind));
  return [
    ...(kinds.has("tcp") ? ["connect-tcp" as const] : []),
    ...(kinds.has("unix") ? ["connect-unix" as const] : []),
  ];
}

function describeFreed(freed: readonly FreedRight[]): string {
  return freed.length === 0 ? "" : " and connects to backends";
}

function followsAllLinks({ main, virtualHosts }: Settings): boolean {
  return [main, ...virtualHosts.values()].some(({ symlinks }) => symlinks === "anywhere");
}

function findObstacle(version: number, exceptions: readonly KeptCapability[]): string | undefined {
  if (version === 0) return `needs Landlock, which ${WITHOUT_LANDLOCK}: use sandbox = auto`;
  if (version < FIRST_COMPLETE_VERSION) {
    return `needs Landlock version ${FIRST_COMPLETE_VERSION} (Linux 6.2), and this kernel has version ${version}: use sandbox = auto`;
  }
  const [exception] = exceptions;
  if (exception === undefined) return undefined;
  return `is not possible: only with a capability can root ${exception.purpose} ${exception.path}: set user, or use sandbox = auto`;
}

const WITHOUT_LANDLOCK = "this kernel does not have or does not allow";

function describeReading({ served }: SandboxFacts): string {
  return served.length === 0 ? "reads nothing but the program" : "reads what it serves";
}

function describeLandlock(version: number, facts: SandboxFacts, readsEverything: boolean): string {
  const { uploads, uploadTrees } = facts;
  if (version === 0) return `no Landlock, which ${WITHOUT_LANDLOCK}`;
  const reading = readsEverything ? "every file can be read (symlinks = anywhere)" : describeReading(facts);
  const [tree] = uploadTrees;
  const storing = tree !== undefined ? ` and writes below ${tree}` : uploads.length > 0 ? " and writes uploads" : "";
  const gaps = describeGaps(version);
  const free = gaps.length === 0 ? "" : `, too old to hold back ${gaps.join(", ")}`;
  return `Landlock ${version}${free}: ${reading}${storing}`;
}

function describeCapabilities(exceptions: readonly KeptCapability[]): string {
  if (exceptions.length === 0) return "no capabilities";
  const kept = exceptions.map(({ name, purpose, path }) => `${name}, to ${purpose} ${path}`);
  return `no capabilities but ${kept.join(", and ")}`;
}

function planNone(why: string): SandboxDecision {
  return { kind: "plan", plan: { confinement: undefined, notice: `no sandbox: ${why}` } };
}

function refuse(problem: string): SandboxDecision {
  return { kind: "refused", reason: `sandbox = yes ${problem}` };
}
