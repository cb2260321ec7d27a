/** Child processes that Node does not know, asked for by the C library (wait(2)). */
import type { Bind, Koffi } from "./native-call.ts";

export interface ChildCalls {
  /**
   * A child that has ended and that no one has waited for, if there is one. It stays so.
   *
   * @throws NativeError also when there is no child at all
   */
  findEndedChild(): number | undefined;
  /** Waits for that ended child, so that it is no zombie any more. */
  reapChild(pid: number): void;
}

const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
const SIGINFO_BYTES = 128;

export function bindChildren(koffi: Koffi, bind: Bind): ChildCalls {
  const waitid = bind("waitid", "int waitid(int type, uint32_t id, void *info, int options)");
  const waitpid = bind("waitpid", "int waitpid(int pid, void *status, int options)");
  // After three numbers of siginfo_t, a union with pointers in it begins.
  const pidAt = koffi.sizeof("size_t") === 8 ? 16 : 12;

  return {
    findEndedChild() {
      const info = Buffer.alloc(SIGINFO_BYTES);
      waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT);
      const pid = info.readInt32LE(pidAt);
      return pid === 0 ? undefined : pid;
    },
    reapChild: (pid) => void waitpid(pid, null, WNOHANG),
  };
}
