/**
 * A task pool without threads: each task runs at once, in the test's own process.
 */
import { listDirectory } from "../../src/tasks/list-directory.ts";
import { storeJson } from "../../src/tasks/store-json.ts";
import type { TaskName, TaskPool, TaskTypes } from "../../src/tasks/task-types.ts";

type Done<N extends TaskName> = TaskTypes[N]["output"] | Promise<TaskTypes[N]["output"]>;
type Tasks = { readonly [N in TaskName]: (input: TaskTypes[N]["input"]) => Done<N> };

const TASKS: Tasks = { "list-directory": listDirectory, "store-json": storeJson };

export const directPool: TaskPool = {
  hasRoom: true,
  reserve: () => undefined,
  noteRefusal: () => undefined,
  run: async (name, input) => ({ kind: "done", output: await TASKS[name](input) }),
};
