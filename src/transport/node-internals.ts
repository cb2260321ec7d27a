/**
 * All uses of Node's internals. To port the server to another version of Node, look here.
 *
 *     accepted handles          net.Server makes sockets of them, and has no option to get them
 *     reading and writing       process.binding("stream_wrap"), the functions of libuv's streams
 *     TLS on a handle           process.binding("tls_wrap"), what tls.TLSSocket is made of
 *     a handle below a socket   where a socket was needed to connect or to shake hands
 *     keys of session tickets   a callback of OpenSSL's contexts; Node's option takes one key
 *     binding without accepting net._createServerHandle, which Node's own cluster module uses
 *
 * `process.binding` is deprecated in the documentation and may be removed one day. If Node must warn of it
 * (`--pending-deprecation`) or refuse it (`--permission`), we use ordinary sockets instead.
 */
import * as net from "node:net";
import type { Server as TlsServer } from "node:tls";
import { getSystemErrorName } from "node:util";

/** A connected TCP or Unix socket of libuv, or TLS on one. All functions return 0 or a negative error code. */
export interface StreamHandle {
  /** Called after each read, with the handle as `this`. A returned value would become the new read buffer. */
  onread: (this: StreamHandle) => void;
  /** Our own property: the object that this handle serves. */
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
  /** TCP only, like all that follow. */
  getpeername?(out: SocketName): number;
  getsockname?(out: SocketName): number;
  setKeepAlive?(isOn: boolean, seconds: number): number;
  /** Also closes. Not while `shutdown` is under way: it would never close. */
  reset?(callback?: () => void): number;
}

export interface HandleReader {
  onRead(): void;
  /** TLS only: OpenSSL rejected a record. */
  onBroken?(error: Error): void;
  onHandshakeDone?(): void;
  /** A line of OpenSSL's key log, after `enableKeylogCallback`. */
  onSecret?(line: Uint8Array): void;
}

export interface SocketName {
  address?: string;
  port?: number;
}

/** For a write that did not finish at once. */
export interface WriteRequest {
  oncomplete?: (this: WriteRequest, status: number) => void;
  writer?: { onWritten(status: number): void };
  /** Keeps the bytes alive until they are written. */
  chunks?: unknown;
}

export interface ShutdownRequest {
  oncomplete?: (status: number) => void;
}

/**
 * TLS on a handle, which it reads by itself. OpenSSL encrypts what is written at once, into its own memory. A second
 * write before the first has finished would end the process, and so would any call after `destroySSL`.
 */
export interface TlsHandle extends StreamHandle {
  /** These three callbacks must not close anything before the next tick. */
  onhandshakedone?: (this: TlsHandle) => void;
  onerror?: (this: TlsHandle, error: Error) => void;
  /** Called for a certificate, after `enableCertCb`; `certCbDone` continues the handshake. */
  oncertcb?: (this: TlsHandle, info: { readonly OCSPRequest: unknown }) => void;
  /** Called with secrets of this connection. */
  onkeylog?: (this: TlsHandle, line: Uint8Array) => void;
  /** For all handles of the same context: each needs `onkeylog`. */
  enableKeylogCallback(): void;
  /** Feeds bytes that were read before this handle existed. */
  receive(bytes: Uint8Array): void;
  setVerifyMode(asks: boolean, requires: boolean): void;
  /** @param protocols  each after one byte with its length */
  setALPNProtocols(protocols: Uint8Array): void;
  enableCertCb(): void;
  setOCSPResponse(response: Uint8Array): void;
  certCbDone(): void;
  /** The error of the peer's certificate: the handshake continues with any certificate. */
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
  /** Values that the latest call or callback of any handle has set. */
  readonly streamBaseState: Int32Array;
  /** Indexes into `streamBaseState`. */
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
  /** Server-side TLS on a handle; `context`: of a SecureContext. @throws where this Node has other TLS functions */
  wrapTls(handle: StreamHandle, context: object): TlsHandle;
}

export type FoundInternals =
  | { readonly kind: "found"; readonly internals: NodeInternals }
  /** `why` completes a sentence: "because …". */
  | { readonly kind: "missing"; readonly why: string };

/** Read status after the client has closed its side: UV_EOF, the same number on every system. */
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
    // The last argument, which older versions do not have: no earlier write is under way.
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
  "enableKeylogCallback",
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

/** Whether an accepted handle has all functions that we use. */
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

/** Takes accepted handles from a listening server. @returns false if it cannot: `connection` still reports sockets */
export function takeHandles(server: net.Server, onHandle: (handle: object) => void): boolean {
  const listening = handleOf(server);
  if (listening === undefined || !("onconnection" in listening) || typeof listening.onconnection !== "function")
    return false;
  listening.onconnection = (status: number, handle: object | undefined): void => {
    // A negative status is an error of accept(2), such as too few descriptors; the next one may succeed.
    if (status === 0 && handle !== undefined) onHandle(handle);
  };
  return true;
}

/** Disables Nagle's delay. Accepted sockets inherit that: one system call for all of them. */
export function sendAtOnce(server: net.Server): void {
  const listening = handleOf(server);
  // A Unix socket has no such delay.
  if (listening !== undefined && "setNoDelay" in listening && typeof listening.setNoDelay === "function") {
    listening.setNoDelay(true);
  }
}

export interface BoundHandle {
  readonly fd: number;
  getsockname?(out: SocketName): number;
  close(): void;
}

/** `port` is -1 for a Unix socket; `address` is then its path. @returns an error code of libuv if the bind failed */
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

// ---- session tickets

/**
 * Chooses the key of a ticket: for a new one (`isNew`), or by the name of the key in one that a client shows.
 * @returns the outcome (see OpenSSL's SSL_CTX_set_tlsext_ticket_key_cb(3)), the keys of HMAC and AES, the name of the key
 *   and the initialization vector, each of 16 bytes, also where the outcome is that the key is unknown
 */
type TicketCallback = (
  name: Uint8Array,
  vector: Uint8Array,
  isNew: boolean,
) => readonly [number, Uint8Array, Uint8Array, Uint8Array, Uint8Array];

/** @param context  of a SecureContext @returns false where this Node lacks the callback */
export function answerTickets(context: object, callback: TicketCallback): boolean {
  if (!("enableTicketKeyCallback" in context) || typeof context.enableTicketKeyCallback !== "function") return false;
  Reflect.set(context, "onticketkeycallback", callback);
  context.enableTicketKeyCallback();
  return true;
}

/** The context that all connections of a TLS server share. */
export function contextOf(server: TlsServer): object | undefined {
  const shared: unknown = "_sharedCreds" in server ? server._sharedCreds : undefined;
  const context: unknown = typeof shared === "object" && shared !== null ? Reflect.get(shared, "context") : undefined;
  return typeof context === "object" && context !== null ? context : undefined;
}

// ---- sockets

/** The carrier of a socket, and TLS where there is TLS on it. */
export interface SocketHandles {
  readonly carrier: StreamHandle;
  readonly tls: TlsHandle | undefined;
}

/**
 * Takes the handles of a just connected or secured socket, which is then unusable and gets no events.
 * @returns undefined for unexpected handles; the socket is unchanged then
 */
export function takeSocketHandles(socket: net.Socket): SocketHandles | undefined {
  const below = socketBelow(socket);
  const [handle, carrier] = [handleOf(socket), handleOf(below)];
  if (handle === undefined || carrier === undefined || !isStreamHandle(carrier)) return undefined;
  const isTls = below !== socket;
  if (!isStreamHandle(handle) || (isTls && !isTlsHandle(handle))) return undefined;
  // A socket starts reading by itself when it connects.
  handle.readStop();
  for (const each of [socket, below]) Reflect.set(each, "_handle", null);
  return { carrier, tls: isTls && isTlsHandle(handle) ? handle : undefined };
}

/** The handle below a socket or a server. */
function handleOf(owner: net.Socket | net.Server): object | undefined {
  const handle: unknown = "_handle" in owner ? owner._handle : undefined;
  return typeof handle === "object" && handle !== null ? handle : undefined;
}

/** The socket below a TLS socket; any other socket itself. */
export function socketBelow(socket: net.Socket): net.Socket {
  const below: unknown = "_parent" in socket ? socket._parent : undefined;
  return below instanceof net.Socket ? below : socket;
}

/** Lets `destroy` reset the connection as `resetAndDestroy` does, which throws on a TLS socket. For TCP only. */
export function resetOnDestroy(socket: net.Socket): void {
  Reflect.set(socketBelow(socket), "resetAndClosing", true);
}

/**
 * Bytes that libuv still has to write. `writableLength` counts a buffer whole until its last byte is gone, so a slow
 * reader of a large buffer would look stalled. Node's own socket timeout uses this value too.
 */
export function writeQueueSize(socket: net.Socket): number | undefined {
  const handle = handleOf(socketBelow(socket));
  if (handle === undefined || !("writeQueueSize" in handle)) return undefined;
  return typeof handle.writeQueueSize === "number" ? handle.writeQueueSize : undefined;
}

/** Options of `net.Socket` that its types do not have. */
export interface SocketOptions extends net.SocketConstructorOpts {
  readonly handle: object;
  readonly writableHighWaterMark: number;
  readonly onread: { readonly buffer: Uint8Array; readonly callback: (count: number) => boolean };
}
