/**
 * Which of its two beginnings a worker process is in: a mark in its environment, which no process it starts inherits.
 */
export type WorkerStage = "confine" | "serve";

const STAGE_MARK = "COMANCHE_WORKER";

/** The variables that tell a new process its stage. */
export function markStage(stage: WorkerStage): NodeJS.ProcessEnv {
  return { [STAGE_MARK]: stage };
}

export function takeStage(environment: NodeJS.ProcessEnv): WorkerStage {
  const stage = environment[STAGE_MARK];
  delete environment[STAGE_MARK];
  return stage === "confine" ? "confine" : "serve";
}

/** The descriptors a worker is started with: no input, no output, its standard error, the channel, then sockets and its log. */
export const CHANNEL_DESCRIPTOR = 3;
export const FIRST_INHERITED = 4;
