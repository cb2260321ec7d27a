/**
 * What only the C library can do: the one file that loads koffi, an optional dependency whose binaries come in its
 * package. Every function either does what it says or throws a `NativeError`; what a failure means is decided elsewhere.
 */
import { closeSync } from "node:fs";
import { type Bind, binderOf, type Koffi } from "./native-call.ts";
import { bindChildren, type ChildCalls } from "./native-children.ts";
import { bindConfinement, type ConfinementCalls } from "./native-confinement.ts";
import { bindFiles, type FileCalls } from "./native-files.ts";

export type NativeResult =
  | { readonly kind: "native"; readonly native: Native }
  /** `why` completes the sentence "… is not possible: ". */
  | { readonly kind: "missing"; readonly why: string };

export interface Native extends ChildCalls, ConfinementCalls, DescriptorCalls, FileCalls {
  /** The soft and the hard limit of open descriptors; Infinity where there is none. */
  descriptorLimit(): DescriptorLimit;
  setDescriptorLimit(limit: DescriptorLimit): void;
  /**
   * Limits the bytes that the kernel accepts for a TCP connection before it can send them (TCP_NOTSENT_LOWAT). Connections
   * that a listening socket accepts inherit it.
   *
   * @throws NativeError for any other socket
   */
  limitUnsent(socket: number, bytes: number): void;
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

/**
 * Open files that one process hands to another, over a socket of which each has an end (SCM_RIGHTS, unix(7)). Node can pass
 * sockets in this way, but no regular file.
 */
interface DescriptorCalls {
  /** The two ends of a socket, closed on exec. */
  socketPair(): readonly [number, number];
  /** @throws NativeError instead of waiting for a receiver that has too many to take */
  sendDescriptor(socket: number, descriptor: number): void;
  /**
   * @returns the file that was sent first, closed on exec; undefined when no descriptor was free for it
   * @throws NativeError when none was sent
   */
  receiveDescriptor(socket: number): number | undefined;
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

const RLIMIT_NOFILE = 7;
const LOG_PID = 1;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
/** Each message is received as it was sent: with its descriptor, and no other. */
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const TCP_NOTSENT_LOWAT = 25;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const RLIM_INFINITY = 2n ** 64n - 1n;

function bindNative(koffi: Koffi): Native {
  const library = koffi.load(null);
  const bind = binderOf(koffi, library);
  const getrlimit = bind("getrlimit", "int getrlimit(int resource, _Out_ uint64_t *limits)");
  const setrlimit = bind("setrlimit", "int setrlimit(int resource, const uint64_t *limits)");
  const socket = bind("socket", "int socket(int domain, int type, int protocol)");
  const sendto = bind(
    "sendto",
    "long sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t size)",
  );
  const setsockopt = bind(
    "setsockopt",
    "int setsockopt(int fd, int level, int option, const void *value, uint32_t size)",
  );
  const openlog = library.func("void openlog(const char *name, int option, int facility)");
  const syslog = library.func("void syslog(int priority, const char *format, const char *text)");
  // openlog(3) keeps the pointer it is given, so the text must outlive the call.
  let syslogName: Buffer;

  return {
    ...bindChildren(koffi, bind),
    ...bindConfinement(bind),
    ...bindDescriptors(koffi, bind),
    ...bindFiles(bind),
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
    limitUnsent(descriptor, bytes) {
      setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, new Int32Array([bytes]), 4);
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

/** struct sockaddr_un. An abstract name begins with a NUL byte and ends with the structure. */
function unixSocketName(address: string): Buffer {
  const isAbstract = address.startsWith("@");
  const path = isAbstract ? Buffer.from(`\0${address.slice(1)}`) : Buffer.from(`${address}\0`);
  const name = Buffer.alloc(2 + path.length);
  name.writeUInt16LE(AF_UNIX, 0);
  path.copy(name, 2);
  return name;
}

function bindDescriptors(koffi: Koffi, bind: Bind): DescriptorCalls {
  koffi.struct("message_part", { bytes: "void *", length: "size_t" });
  koffi.struct("message", {
    name: "void *",
    nameLength: "uint32_t",
    parts: "message_part *",
    partCount: "size_t",
    control: "void *",
    controlLength: "size_t",
    flags: "int",
  });
  const socketpair = bind("socketpair", "int socketpair(int domain, int type, int protocol, void *pair)");
  const sendmsg = bind("sendmsg", "long sendmsg(int socket, const message *message, int flags)");
  const recvmsg = bind("recvmsg", "long recvmsg(int socket, const message *message, int flags)");

  // struct cmsghdr: a length and two numbers; the descriptor follows.
  const word = koffi.sizeof("size_t");
  const header = word + 8;
  const makeControl = (): Buffer => Buffer.alloc(Math.ceil((header + 4) / word) * word);
  // A message without any byte would be the end of the stream.
  const around = (control: Buffer) => ({
    name: null,
    nameLength: 0,
    parts: [{ bytes: Buffer.alloc(1), length: 1 }],
    partCount: 1,
    control,
    controlLength: control.length,
    flags: 0,
  });

  return {
    socketPair() {
      const pair = new Int32Array(2);
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
      return [pair[0] ?? -1, pair[1] ?? -1];
    },
    sendDescriptor(socket, descriptor) {
      const control = makeControl();
      control.writeInt32LE(header + 4, 0);
      control.writeInt32LE(SOL_SOCKET, word);
      control.writeInt32LE(SCM_RIGHTS, word + 4);
      control.writeInt32LE(descriptor, header);
      sendmsg(socket, around(control), MSG_DONTWAIT | MSG_NOSIGNAL);
    },
    receiveDescriptor(socket) {
      const control = makeControl();
      recvmsg(socket, around(control), MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
      const hasOne = control.readInt32LE(0) === header + 4 && control.readInt32LE(word + 4) === SCM_RIGHTS;
      return hasOne ? control.readInt32LE(header) : undefined;
    },
  };
}
