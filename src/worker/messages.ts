/**
 * The messages between the primary and its workers. Both are the same program, so messages are not checked; they travel
 * by structured clone. Declare a new one here. The primary sends it with `generation.broadcast` or `publish`, a worker
 * with the `send` of a role. A role or the generation receives it; if it is about the process, the controller or the
 * `WorkerChild`.
 *
 *     primary                              worker
 *     confine (only with a sandbox)   ->   confines itself, then executes its program again
 *                                     <-   loaded: waits for its start order
 *     start                           ->
 *                                     <-   ready, or failed; then events, log batches, reports
 *     drain, cut, messages for roles  ->
 *                                     <-   drained; then it ends
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
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

export interface StartOrder {
  /** Limits of the whole server are divided: these are this worker's share. */
  readonly settings: Settings;
  readonly sockets: readonly ListenSocket[];
  readonly tls: TlsMaterials;
  readonly backends: BackendEndpoints;
  readonly privileges: PrivilegePlan;
  readonly accessLog: HandedFile;
  /** The process name that the system shows. */
  readonly title: string;
}

/** A log of the primary, handed to a worker. */
export interface HandedFile {
  readonly name: string;
  /** Undefined where the primary writes the lines. */
  readonly descriptor: number | undefined;
  /** Receives the next descriptor after a reopen; undefined without koffi. */
  readonly socket: number | undefined;
}

/**
 * `stopping`: connections close as soon as they are idle. `handing-over`: another generation serves already, so an idle
 * connection may make one more request: a close that crosses a request would lose it. `outdated`: the same, but soon,
 * because this process serves a former document root.
 */
export type DrainMode = "stopping" | "handing-over" | "outdated";

export type PrimaryMessage = ProcessMessage | LogMessage | RoleMessage;

/** For the controller of the process. */
type ProcessMessage =
  /** `inherited`: how many descriptors it has besides the standard ones and the channel. */
  | { readonly kind: "confine"; readonly confinement: Confinement; readonly inherited: number }
  | { readonly kind: "start"; readonly order: StartOrder }
  /** `grace`: busy connections are cut after that time; undefined: no limit. */
  | { readonly kind: "drain"; readonly mode: DrainMode; readonly grace: Milliseconds | undefined }
  | { readonly kind: "cut" }
  | { readonly kind: "report" };

/** For the `HandedLog`. */
export type LogMessage =
  /** `isHanded`: the new descriptor waits in the socket; else lines are sent to the primary from now on. */
  | { readonly kind: "log-reopened"; readonly isHanded: boolean }
  /** The primary writes while the file refuses lines. */
  | { readonly kind: "log-writer"; readonly writer: "worker" | "primary" };

/** For the roles. */
export type RoleMessage =
  /** Certificates or ticket keys have changed. */
  | { readonly kind: "certificates"; readonly materials: TlsMaterials }
  /** Backend addresses have changed. */
  | { readonly kind: "backends"; readonly backends: BackendEndpoints }
  /** Another worker has stored an upload. */
  | { readonly kind: "stored"; readonly upload: StoredUpload };

export type WorkerMessage = LifeMessage | ServerMessage;

/** For the `WorkerChild`. */
type LifeMessage =
  | { readonly kind: "loaded" }
  | { readonly kind: "ready"; readonly served: readonly ServedEndpoint[] }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "report"; readonly report: WorkerReport }
  /** `cut`: connections still busy at the end of the grace period. */
  | { readonly kind: "drained"; readonly cut: number };

/** For the generation. */
export type ServerMessage =
  | { readonly kind: "event"; readonly level: EventLevel; readonly text: string }
  /** Access log lines. `refusal`: the worker's file has just refused them. */
  | { readonly kind: "log"; readonly lines: Uint8Array; readonly refusal: Refusal | undefined }
  | { readonly kind: "stored"; readonly upload: StoredUpload }
  /** Docbases and upload directories that the sandbox of the process does not reach. */
  | { readonly kind: "out-of-reach"; readonly places: readonly AbsolutePath[] }
  /** The process asks for a successor. */
  | { readonly kind: "retire"; readonly why: string };

export interface WorkerReport {
  /** Undefined without sites. */
  readonly pool: PoolState | undefined;
  readonly connections: number;
  /** Undefined without TLS. */
  readonly tls: TlsCounts | undefined;
  /** Key: name of the terminator. */
  readonly tunnels: ReadonlyMap<string, TunnelCounts>;
}

/** Which of its two programs a worker runs: a variable that the processes it starts do not inherit. */
export type WorkerStage = "confine" | "serve";
const STAGE_MARK = "COMANCHE_WORKER";

export function markStage(stage: WorkerStage): NodeJS.ProcessEnv {
  return { [STAGE_MARK]: stage };
}

export function takeStage(environment: NodeJS.ProcessEnv): WorkerStage {
  const stage = environment[STAGE_MARK];
  delete environment[STAGE_MARK];
  return stage === "confine" ? "confine" : "serve";
}

/** A worker starts with: stdin and stdout on /dev/null, stderr, the channel, then sockets and its log. */
export const CHANNEL_DESCRIPTOR = 3;
export const FIRST_INHERITED = 4;
