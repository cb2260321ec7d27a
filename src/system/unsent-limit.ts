/**
 * How much the kernel takes from us for one client before it can send it. Without a limit it takes megabytes for a client that
 * reads nothing, and a thousand such clients cost gigabytes of kernel memory and seconds of processor time.
 */
import type { Native } from "./native.ts";
import { NativeError } from "./native-call.ts";

/** More than any client takes between two turns of the event loop; what was sent and not acknowledged does not count. */
const MAX_UNSENT_BYTES = 256 * 1024;

/** @param sockets  the listening ones: the connections that they accept inherit the limit */
export function limitUnsentBytes(
  sockets: readonly { readonly descriptor: number }[],
  native: Pick<Native, "limitUnsent">,
): void {
  for (const { descriptor } of sockets) {
    try {
      native.limitUnsent(descriptor, MAX_UNSENT_BYTES);
    } catch (error) {
      // A Unix socket has a small buffer of its own; an old kernel does without the limit.
      if (!(error instanceof NativeError)) throw error;
    }
  }
}
