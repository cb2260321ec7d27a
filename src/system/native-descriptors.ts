/**
 * Open files that one process hands to another, over a socket of which each has an end (SCM_RIGHTS, unix(7)). Node can pass
 * sockets in this way, but no regular file.
 */
import type { Bind, Koffi } from "./native-call.ts";

export interface DescriptorCalls {
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

const AF_UNIX = 1;
/** Each message is received as it was sent: with its descriptor, and no other. */
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;

export function bindDescriptors(koffi: Koffi, bind: Bind): DescriptorCalls {
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
