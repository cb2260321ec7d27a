/**
 * A task pool without threads: each task runs in this process, in slices between which other requests are served.
 */
import { listDirectory } from "./list-directory.ts";
import type { TaskName, TaskPool, TaskTypes } from "./task-types.ts";

type Tasks = { readonly [N in TaskName]: (input: TaskTypes[N]["input"]) => Promise<TaskTypes[N]["output"]> };

const TASKS: Tasks = { "list-directory": listDirectory };

export const directPool: TaskPool = {
  run: (name, input) => TASKS[name](input),
};
