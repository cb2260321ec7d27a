/**
 * What is used of Node's inside to speak to an accepted socket without `net.Socket`, and whether it is there.
 *
 * `process.binding` is deprecated in the documentation and may go one day. Where Node has been asked to warn of it
 * (`--pending-deprecation`) or to refuse it (`--permission`), nothing here is touched.
 */
import { getSystemErrorName } from "node:util";

/** A connected TCP or Unix socket, as libuv has it. All functions return 0 or a negative error code. */
export interface StreamHandle {
  /** Called after each read, with the handle as `this`. Whatever it returns would become the new read buffer. */
  onread: (this: StreamHandle) => void;
  /** A place of our own: whom the handle serves. */
  reader?: { onRead(): void };
  /** Bytes that wait to be written. */
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): number;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, chunk: Uint8Array): number;
  writev(request: WriteRequest, chunks: readonly Uint8Array[], areAllBuffers: true): number;
  shutdown(request: ShutdownRequest): number;
  close(callback?: () => void): void;
  /** TCP alone. */
  getpeername?(out: PeerName): number;
}

export interface PeerName {
  address?: string;
  port?: number;
}

/** Of a write that could not be finished at once. */
export interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** Keeps the bytes alive until they are written. */
  chunks?: unknown;
}

export interface ShutdownRequest {
  oncomplete?: (status: number) => void;
}

export interface StreamInternals {
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => ShutdownRequest;
  /** What the latest call or callback of any handle has left. */
  readonly streamBaseState: Int32Array;
  /** Places in `streamBaseState`. */
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

export type FoundInternals =
  | { readonly kind: "found"; readonly internals: StreamInternals }
  /** `why` completes a sentence: "because …". */
  | { readonly kind: "missing"; readonly why: string };

/** What a read tells when the client has closed its side: the same number on every system (UV_EOF). */
export const END_OF_FILE = -4095;

export function findStreamInternals(): FoundInternals {
  if (warnsOfDeprecation()) return missing("Node was asked to warn of deprecated functions (--pending-deprecation)");
  let binding: unknown;
  try {
    binding =
      "binding" in process && typeof process.binding === "function" ? process.binding("stream_wrap") : undefined;
  } catch {
    return missing("Node refuses its internal functions, as it does with --permission");
  }
  if (!isStreamInternals(binding)) return missing("this version of Node has other internal functions");
  if (getSystemErrorName(END_OF_FILE) !== "EOF") return missing("this version of Node has other error codes");
  return { kind: "found", internals: binding };
}

const HANDLE_FUNCTIONS = [
  "useUserBuffer",
  "readStart",
  "readStop",
  "writeBuffer",
  "writev",
  "shutdown",
  "close",
] as const;

/** Whether an accepted handle has all that is used of it. */
export function isStreamHandle(handle: object): handle is StreamHandle {
  const functions: Partial<Record<(typeof HANDLE_FUNCTIONS)[number], unknown>> = handle;
  return HANDLE_FUNCTIONS.every((name) => typeof functions[name] === "function") && "writeQueueSize" in handle;
}

function warnsOfDeprecation(): boolean {
  const options = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(" ")];
  return options.includes("--pending-deprecation") || process.env.NODE_PENDING_DEPRECATION === "1";
}

function isStreamInternals(binding: unknown): binding is StreamInternals {
  if (typeof binding !== "object" || binding === null) return false;
  const parts: Partial<Record<keyof StreamInternals, unknown>> = binding;
  const { streamBaseState: state, kReadBytesOrError, kLastWriteWasAsync } = parts;
  if (typeof parts.WriteWrap !== "function" || typeof parts.ShutdownWrap !== "function") return false;
  if (!(state instanceof Int32Array)) return false;
  return isPlaceIn(state, kReadBytesOrError) && isPlaceIn(state, kLastWriteWasAsync);
}

function isPlaceIn(state: Int32Array, place: unknown): boolean {
  return typeof place === "number" && Number.isInteger(place) && place >= 0 && place < state.length;
}

function missing(why: string): FoundInternals {
  return { kind: "missing", why };
}
