/**
 * All that is used of Node's inside: whoever ports the server to another version of Node looks here.
 *
 *     accepted handles          net.Server makes sockets of them, and has no option to get them
 *     reading and writing       process.binding("stream_wrap"), the functions of libuv's streams
 *     TLS on a handle           process.binding("tls_wrap"), what tls.TLSSocket is made of
 *     a handle below a socket   where a socket was needed to connect or to shake hands
 *     binding without accepting net._createServerHandle, which Node's own cluster module uses
 *
 * `process.binding` is deprecated in the documentation and may go one day. Where Node was asked to warn of it
 * (`--pending-deprecation`) or to refuse it (`--permission`), it is not touched, and ordinary sockets serve.
 */
import * as net from "node:net";
import { getSystemErrorName } from "node:util";

/** A connected TCP or Unix socket, as libuv has it, or TLS on one. All functions return 0 or a negative error code. */
export interface StreamHandle {
  /** Called after each read, with the handle as `this`. Whatever it returns would become the new read buffer. */
  onread: (this: StreamHandle) => void;
  /** A place of our own: whom the handle serves. */
  reader?: HandleReader | undefined;
  /** Bytes that wait to be written. */
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): number;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, chunk: Uint8Array): number;
  writev(request: WriteRequest, chunks: readonly Uint8Array[], areAllBuffers: true): number;
  shutdown(request: ShutdownRequest): number;
  close(callback?: () => void): void;
  /** These are TCP's alone. */
  getpeername?(out: SocketName): number;
  getsockname?(out: SocketName): number;
  setKeepAlive?(isOn: boolean, seconds: number): number;
  /** Closes too. Not while `shutdown` is under way: then it would never close. */
  reset?(callback?: () => void): number;
}

export interface HandleReader {
  onRead(): void;
  /** TLS alone: a record that OpenSSL does not take. */
  onBroken?(error: Error): void;
  onHandshakeDone?(): void;
}

export interface SocketName {
  address?: string;
  port?: number;
}

/** Of a write that could not be finished at once. */
export interface WriteRequest {
  oncomplete?: (this: WriteRequest, status: number) => void;
  /** Who is told of it. */
  writer?: { onWritten(status: number): void };
  /** Keeps the bytes alive until they are written. */
  chunks?: unknown;
}

export interface ShutdownRequest {
  oncomplete?: (status: number) => void;
}

/**
 * TLS on a handle, from which it reads by itself. OpenSSL seals what is written at once, into memory of its own. A second write
 * before the first is finished would end the process, and so would any question after `destroySSL`.
 */
export interface TlsHandle extends StreamHandle {
  /** Of these three none may close anything before the next tick. */
  onhandshakedone?: (this: TlsHandle) => void;
  onerror?: (this: TlsHandle, error: Error) => void;
  /** Asked for a certificate, once `enableCertCb` was called; `certCbDone` goes on. */
  oncertcb?: (this: TlsHandle, info: { readonly OCSPRequest: unknown }) => void;
  /** Bytes that were read before it was made. */
  receive(bytes: Uint8Array): void;
  setVerifyMode(asks: boolean, requires: boolean): void;
  /** @param protocols  each with its length in one byte before it */
  setALPNProtocols(protocols: Uint8Array): void;
  enableCertCb(): void;
  setOCSPResponse(response: Uint8Array): void;
  certCbDone(): void;
  /** What is wrong with the peer's certificate: the handshake goes on with any. */
  verifyError(): Error | null | undefined;
  getProtocol(): string | null;
  getCipher(): { readonly name: string } | undefined;
  getALPNNegotiatedProtocol(): string | false | undefined;
  isSessionReused(): boolean;
  /** `raw` is DER. */
  getPeerCertificate(isShort: boolean): { readonly raw?: Uint8Array } | undefined;
  destroySSL(): void;
}

export interface NodeInternals {
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => ShutdownRequest;
  /** What the latest call or callback of any handle has left. */
  readonly streamBaseState: Int32Array;
  /** Places in `streamBaseState`. */
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
  /**
   * Makes TLS of an accepted handle, as a server does.
   *
   * @param context  what `tls.createSecureContext` returns has it
   * @throws where this Node's TLS has other functions
   */
  wrapTls(handle: StreamHandle, context: object): TlsHandle;
}

export type FoundInternals =
  | { readonly kind: "found"; readonly internals: NodeInternals }
  /** `why` completes a sentence: "because …". */
  | { readonly kind: "missing"; readonly why: string };

/** What a read tells when the client has closed its side: the same number on every system (UV_EOF). */
export const END_OF_FILE = -4095;

export function findNodeInternals(): FoundInternals {
  if (warnsOfDeprecation()) return missing("Node was asked to warn of deprecated functions (--pending-deprecation)");
  let streams: unknown;
  let tls: unknown;
  try {
    [streams, tls] = [binding("stream_wrap"), binding("tls_wrap")];
  } catch {
    return missing("Node refuses its internal functions, as it does with --permission");
  }
  if (!isStreamBinding(streams) || !isTlsBinding(tls))
    return missing("this version of Node has other internal functions");
  if (getSystemErrorName(END_OF_FILE) !== "EOF") return missing("this version of Node has other error codes");
  const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = streams;
  const { wrap } = tls;
  const wrapTls = (handle: StreamHandle, context: object): TlsHandle => {
    // The last argument, which older versions do not have: nothing that was written before is under way.
    const wrapped = wrap(handle, context, true, false);
    if (!isTlsHandle(wrapped)) throw new Error("TLS has other internal functions");
    return wrapped;
  };
  return {
    kind: "found",
    internals: { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync, wrapTls },
  };
}

const STREAM_FUNCTIONS = [
  "useUserBuffer",
  "readStart",
  "readStop",
  "writeBuffer",
  "writev",
  "shutdown",
  "close",
] as const satisfies readonly (keyof StreamHandle)[];

const TLS_FUNCTIONS = [
  ...STREAM_FUNCTIONS,
  "receive",
  "setVerifyMode",
  "setALPNProtocols",
  "enableCertCb",
  "setOCSPResponse",
  "certCbDone",
  "verifyError",
  "getProtocol",
  "getCipher",
  "getALPNNegotiatedProtocol",
  "isSessionReused",
  "getPeerCertificate",
  "destroySSL",
] as const satisfies readonly (keyof TlsHandle)[];

/** Whether an accepted handle has all that is used of it. */
export function isStreamHandle(handle: object): handle is StreamHandle {
  return hasFunctions(handle, STREAM_FUNCTIONS) && "writeQueueSize" in handle;
}

function isTlsHandle(handle: object): handle is TlsHandle {
  return hasFunctions(handle, TLS_FUNCTIONS) && "writeQueueSize" in handle;
}

function hasFunctions(value: object, names: readonly string[]): boolean {
  return names.every((name) => typeof Reflect.get(value, name) === "function");
}

function binding(name: string): unknown {
  return "binding" in process && typeof process.binding === "function" ? process.binding(name) : undefined;
}

function warnsOfDeprecation(): boolean {
  const options = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(" ")];
  return options.includes("--pending-deprecation") || process.env.NODE_PENDING_DEPRECATION === "1";
}

function isStreamBinding(found: unknown): found is Omit<NodeInternals, "wrapTls"> {
  if (typeof found !== "object" || found === null || !hasFunctions(found, ["WriteWrap", "ShutdownWrap"])) return false;
  const parts: Partial<Record<keyof NodeInternals, unknown>> = found;
  const { streamBaseState: state, kReadBytesOrError, kLastWriteWasAsync } = parts;
  return state instanceof Int32Array && isPlaceIn(state, kReadBytesOrError) && isPlaceIn(state, kLastWriteWasAsync);
}

interface TlsBinding {
  wrap(handle: object, context: object, isServer: boolean, hasActiveWrite: boolean): object;
}

function isTlsBinding(found: unknown): found is TlsBinding {
  return typeof found === "object" && found !== null && hasFunctions(found, ["wrap"]);
}

function isPlaceIn(state: Int32Array, place: unknown): boolean {
  return typeof place === "number" && Number.isInteger(place) && place >= 0 && place < state.length;
}

function missing(why: string): FoundInternals {
  return { kind: "missing", why };
}

// ---- servers

/**
 * Gets accepted handles before a server makes sockets of them. To be called when the server listens.
 *
 * @returns whether handles come from now on; if not, the server's `connection` event goes on telling of sockets
 */
export function takeHandles(server: net.Server, onHandle: (handle: object) => void): boolean {
  const listening = handleOf(server);
  if (listening === undefined || !("onconnection" in listening) || typeof listening.onconnection !== "function")
    return false;
  listening.onconnection = (status: number, handle: object | undefined): void => {
    // A negative status is a fault of accept(2), such as running out of descriptors; the next one may succeed.
    if (status === 0 && handle !== undefined) onHandle(handle);
  };
  return true;
}

/** Switches Nagle's delay off, which every socket that is accepted then inherits: one system call for all of them. */
export function sendAtOnce(server: net.Server): void {
  const listening = handleOf(server);
  // A Unix socket has no such delay.
  if (listening !== undefined && "setNoDelay" in listening && typeof listening.setNoDelay === "function") {
    listening.setNoDelay(true);
  }
}

/** A socket that is bound and does not accept. */
export interface BoundHandle {
  readonly fd: number;
  getsockname?(out: SocketName): number;
  close(): void;
}

/**
 * @param port  -1 for a Unix socket, whose path `address` is then
 * @returns an error code of libuv where it could not be bound
 */
export function createBoundHandle(
  address: string,
  port: number,
  family: 4 | 6 | -1,
  flags: number,
): BoundHandle | number {
  const create: unknown = "_createServerHandle" in net ? net._createServerHandle : undefined;
  if (typeof create !== "function") throw new Error("this version of Node cannot bind a socket without accepting");
  return create(address, port, family, undefined, flags);
}

// ---- sockets

/** What carries a socket's bytes, and TLS where that is on it. */
export interface SocketHandles {
  readonly carrier: StreamHandle;
  readonly tls: TlsHandle | undefined;
}

/**
 * Takes the handles of a socket that has just connected, or shaken hands. The socket is of no use afterwards, and is not told of
 * anything.
 *
 * @returns undefined where it has others than are expected; then it stays as it was
 */
export function takeSocketHandles(socket: net.Socket): SocketHandles | undefined {
  const below = socketBelow(socket);
  const [handle, carrier] = [handleOf(socket), handleOf(below)];
  if (handle === undefined || carrier === undefined || !isStreamHandle(carrier)) return undefined;
  const isTls = below !== socket;
  if (!isStreamHandle(handle) || (isTls && !isTlsHandle(handle))) return undefined;
  // It begins to read for itself when it is connected.
  handle.readStop();
  for (const each of [socket, below]) Reflect.set(each, "_handle", null);
  return { carrier, tls: isTls && isTlsHandle(handle) ? handle : undefined };
}

/** What is below a socket or a server. */
function handleOf(owner: net.Socket | net.Server): object | undefined {
  const handle: unknown = "_handle" in owner ? owner._handle : undefined;
  return typeof handle === "object" && handle !== null ? handle : undefined;
}

/** The socket that a TLS socket was made of; itself for any other. */
export function socketBelow(socket: net.Socket): net.Socket {
  const below: unknown = "_parent" in socket ? socket._parent : undefined;
  return below instanceof net.Socket ? below : socket;
}

/**
 * What libuv still has to write. `writableLength` counts a buffer whole until its last byte is gone, which makes a
 * slow reader of a large buffer look like one that does not read at all; Node's own socket time-out looks here too.
 */
export function writeQueueSize(socket: net.Socket): number | undefined {
  const handle = handleOf(socketBelow(socket));
  if (handle === undefined || !("writeQueueSize" in handle)) return undefined;
  return typeof handle.writeQueueSize === "number" ? handle.writeQueueSize : undefined;
}

/** What `net.Socket` takes beyond what its types say. */
export interface SocketOptions extends net.SocketConstructorOpts {
  readonly handle: object;
  readonly writableHighWaterMark: number;
  readonly onread: { readonly buffer: Uint8Array; readonly callback: (count: number) => boolean };
}
