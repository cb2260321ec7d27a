/**
 * Entry of the task threads: does one task by its name. A thread loads the code of a task when it first does one: with
 * everything loaded it takes 14.5 MiB instead of 10.
 */
import { setPriority } from "node:os";
import { unreachable } from "./base/errors.ts";
import type { ListDirectoryOutput } from "./tasks/list-directory.ts";
import type { DirectoryOpener } from "./tasks/open-directory.ts";
import type { TaskRequest } from "./tasks/task-pool.ts";

// Requests without a task have priority: with ten busy threads on two cores, the 99.9th percentile of the event loop's
// delay is 9 ms instead of 20. On Linux only the calling thread gets slower, elsewhere the whole process would.
if (process.platform === "linux") {
  try {
    setPriority(5);
  } catch {
    // A sandbox may forbid it; tasks run all the same.
  }
}

/** The output of the task, or piscina's wrapper of it. */
export async function run(request: TaskRequest): Promise<unknown> {
  switch (request.name) {
    case "list-directory": {
      const { listDirectory } = await import("./tasks/list-directory.ts");
      const { input, stop } = request;
      const isStopped = (): boolean => stop !== undefined && Atomics.load(stop, 0) !== 0;
      return withMovedBytes(listDirectory(input, input.isRealPath ? await exactOpener() : undefined, isStopped));
    }
    case "store-json": {
      const { storeJson } = await import("./tasks/store-json.ts");
      return storeJson(request.input);
    }
    case "load-all":
      await Promise.all([
        import("./tasks/list-directory.ts"),
        import("./tasks/store-json.ts"),
        import("piscina"),
        exactOpener(),
      ]);
      return undefined;
    default:
      return unreachable(request);
  }
}

let loadedOpener: Promise<DirectoryOpener | undefined> | undefined;

/** Undefined without the C library, which a process that loses /proc in a chroot always has. */
function exactOpener(): Promise<DirectoryOpener | undefined> {
  loadedOpener ??= loadExactOpener();
  return loadedOpener;
}

async function loadExactOpener(): Promise<DirectoryOpener | undefined> {
  const { loadNative } = await import("./system/native.ts");
  const loaded = await loadNative();
  if (loaded.kind === "missing") return undefined;
  const { openExactDirectory } = await import("./system/exact-directory.ts");
  return (path) => openExactDirectory(loaded.native, path);
}

/** Moves the page to the main thread: copying 20 MB would block the event loop for some milliseconds. */
async function withMovedBytes(output: ListDirectoryOutput): Promise<unknown> {
  if (output.kind !== "page") return output;
  const piscina = await import("piscina");
  return piscina.move({ [piscina.transferableSymbol]: output.bytes.buffer, [piscina.valueSymbol]: output });
}
