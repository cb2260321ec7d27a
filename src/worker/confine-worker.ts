/** First stage of a worker: drops its rights, then executes itself again, so that no thread keeps them. */
import { once } from "node:events";
import type { AllowedPlace } from "../system/landlock.ts";
import { loadNative } from "../system/native.ts";
import { confine } from "../system/sandbox.ts";
import { handOver } from "../system/sandbox-reach.ts";
import { CHANNEL_DESCRIPTOR, FIRST_INHERITED, markStage, type PrimaryMessage, type WorkerMessage } from "./messages.ts";

/** Returns only on failure, and the process then exits. The primary sends no more until the second stage is loaded. */
export async function confineWorker(): Promise<void> {
  process.once("disconnect", () => process.exit(1));
  const [message]: [PrimaryMessage] = (await once(process, "message")) as [PrimaryMessage];
  try {
    if (message.kind !== "confine") throw new Error(`expected the order to confine, found ${message.kind}`);
    const loaded = await loadNative();
    if (loaded.kind === "missing") throw new Error(loaded.why);
    const { native } = loaded;
    const allowed = confine(native, message.confinement);
    const args = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const inherited = Array.from({ length: message.inherited }, (_, index) => FIRST_INHERITED + index);
    native.execute(process.execPath, args, secondEnvironment(allowed), [0, 1, 2, CHANNEL_DESCRIPTOR, ...inherited]);
  } catch (error) {
    const failure: WorkerMessage = { kind: "failed", message: `cannot enter the sandbox: ${String(error)}` };
    process.send?.(failure, undefined, undefined, () => process.exit(1));
  }
}

/** Node removes the variables of the channel from its environment at the start. */
function secondEnvironment(allowed: readonly AllowedPlace[] | undefined): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...markStage("serve"),
    ...handOver(allowed ?? []),
    NODE_CHANNEL_FD: String(CHANNEL_DESCRIPTOR),
    NODE_CHANNEL_SERIALIZATION_MODE: "advanced",
  };
}
