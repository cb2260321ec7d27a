/**
 * The messages between the primary and its worker processes. Both are the same program, so messages are not checked; they
 * travel by structured clone. A new one is declared here, sent where it arises (`generation.broadcast` or `publish` in the
 * primary, the `send` of a role in a worker), and received by a role or the generation, or, where it is about the process, by
 * the controller or the `WorkerChild`.
 *
 *     primary                        worker
 *     confine (where there is a sandbox)  ->   confines itself and executes itself again
 *                                    <-   loaded: expects `start`
 *     start                          ->
 *                                    <-   ready, or failed; from then on events, log batches, reports
 *     drain, cut, and those for roles  ->
 *                                    <-   drained; then it ends
 */
import type { Milliseconds } from "../base/units.ts";
import type { Settings } from "../config/settings.ts";
import type { Refusal } from "../observe/access-log.ts";
import type { EventLevel } from "../observe/log.ts";
import type { StoredUpload } from "../site/upload-quota.ts";
import type { PrivilegePlan } from "../system/privilege-plan.ts";
import type { Confinement } from "../system/sandbox-plan.ts";
import type { PoolState } from "../tasks/overload.ts";
import type { TlsCounts } from "../tls/tls-acceptor.ts";
import type { TlsMaterials } from "../tls/tls-identity.ts";
import type { ListenSocket, ServedEndpoint } from "../transport/endpoint.ts";
import type { BackendEndpoints } from "../tunnel/backend.ts";
import type { TunnelCounts } from "../tunnel/tunnels.ts";

/** Everything a worker needs to know. */
export interface StartOrder {
  /** With this worker's share of what is limited for the whole server. */
  readonly settings: Settings;
  readonly sockets: readonly ListenSocket[];
  readonly tls: TlsMaterials;
  readonly backends: BackendEndpoints;
  readonly privileges: PrivilegePlan;
  readonly accessLog: HandedFile;
  /** For the name under which the system shows the process. */
  readonly title: string;
}

/** A log of the primary, as a worker has it. */
export interface HandedFile {
  /** For messages. */
  readonly name: string;
  /** Undefined where the primary writes. */
  readonly descriptor: number | undefined;
  /** Through which the next descriptor comes; undefined without koffi. */
  readonly socket: number | undefined;
}

/**
 * How a worker leaves. `stopping`: connections close as soon as nothing is under way. `handing-over`: another generation
 * serves already, so an idle connection may still make one request, and nobody loses one to a close that crosses it.
 */
export type DrainMode = "stopping" | "handing-over";

export type PrimaryMessage = ProcessMessage | LogMessage | RoleMessage;

/** About the process: for its controller. */
type ProcessMessage =
  /** `inherited`: how many descriptors it has beside the standard ones and the channel. */
  | { readonly kind: "confine"; readonly confinement: Confinement; readonly inherited: number }
  | { readonly kind: "start"; readonly order: StartOrder }
  /** `grace`: after that time what is under way is cut; undefined: it may take its time. */
  | { readonly kind: "drain"; readonly mode: DrainMode; readonly grace: Milliseconds | undefined }
  | { readonly kind: "cut" }
  | { readonly kind: "report" };

/** About the access log: for its `HandedLog`. */
export type LogMessage =
  /** The log was opened again. `isHanded`: its descriptor waits in the socket; else lines go to the primary from now on. */
  | { readonly kind: "log-reopened"; readonly isHanded: boolean }
  /** Who writes to the file: the primary while it refuses lines. */
  | { readonly kind: "log-writer"; readonly writer: "worker" | "primary" };

/** About what the process serves: for its roles. */
export type RoleMessage =
  /** Certificates have changed, or the keys of tickets. */
  | { readonly kind: "certificates"; readonly materials: TlsMaterials }
  /** Backends have other addresses. */
  | { readonly kind: "backends"; readonly backends: BackendEndpoints }
  /** Another worker has stored it. */
  | { readonly kind: "stored"; readonly upload: StoredUpload };

export type WorkerMessage = LifeMessage | ServerMessage;

/** About the life of the process: for its `WorkerChild`. */
type LifeMessage =
  | { readonly kind: "loaded" }
  | { readonly kind: "ready"; readonly served: readonly ServedEndpoint[] }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "report"; readonly report: WorkerReport }
  /** `cut`: how many connections were still busy when the time was up. */
  | { readonly kind: "drained"; readonly cut: number };

/** About the logs and the other processes: for the generation. */
export type ServerMessage =
  | { readonly kind: "event"; readonly level: EventLevel; readonly text: string }
  /** Lines of the access log. `refusal`: the worker's file has just refused them. */
  | { readonly kind: "log"; readonly lines: Uint8Array; readonly refusal: Refusal | undefined }
  | { readonly kind: "stored"; readonly upload: StoredUpload }
  /** The process asks for a successor, because it cannot go on as it should. */
  | { readonly kind: "retire"; readonly why: string };

export interface WorkerReport {
  /** Undefined where no site is served. */
  readonly pool: PoolState | undefined;
  readonly connections: number;
  /** Undefined where TLS is not spoken. */
  readonly tls: TlsCounts | undefined;
  /** By the terminator's name. */
  readonly tunnels: ReadonlyMap<string, TunnelCounts>;
}

/** Which of its two programs a worker process runs: a mark in its environment, which no process it starts inherits. */
export type WorkerStage = "confine" | "serve";

const STAGE_MARK = "COMANCHE_WORKER";

/** The variables that tell a new process its stage. */
export function markStage(stage: WorkerStage): NodeJS.ProcessEnv {
  return { [STAGE_MARK]: stage };
}

export function takeStage(environment: NodeJS.ProcessEnv): WorkerStage {
  const stage = environment[STAGE_MARK];
  delete environment[STAGE_MARK];
  return stage === "confine" ? "confine" : "serve";
}

/** The descriptors a worker is started with: no input, no output, its standard error, the channel, then sockets and its log. */
export const CHANNEL_DESCRIPTOR = 3;
export const FIRST_INHERITED = 4;
