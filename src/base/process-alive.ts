/** Whether there is a process of that number, also one that is another user's or has ended and waits for its parent. */
import { errorCode } from "./errors.ts";

export function isProcessAlive(pid: number): boolean {
  try {
    // Signal 0 is not sent; the system only checks whether it could be.
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}
