/**
 * Stands for a server that is asked to reload: takes the PID file named by its first argument, keeps a state file unless
 * it is `mute`, says `ready`, and does on SIGHUP what its second argument says. It ends with its input.
 */
import { once } from "node:events";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { unixMilliseconds } from "../../src/base/units.ts";
import { acquirePidFile } from "../../src/control/pid-file.ts";
import { identifyProcess } from "../../src/control/process-info.ts";
import { type ReloadState, type ServerState, StateFile } from "../../src/control/state-file.ts";

const [path = "", manner = ""] = process.argv.slice(2);
const pidFile = acquirePidFile([{ path: absolutePath(path), folderMode: undefined }]);
// It proves itself without a state file.
process.title = "comanche: primary";
const stateFile = new StateFile(pidFile.path);
const HANGUPS_BEFORE = 4;

let state: ServerState = {
  pid: manner === "replaced" ? process.ppid : process.pid,
  process: identifyProcess(process.pid),
  version: "1.2.3",
  phase: "serving",
  startedAt: unixMilliseconds(Date.now()),
  generation: 2,
  configFile: "/etc/comanche.conf",
  endpoints: ["http://127.0.0.1:8080/"],
  workers: [{ pid: process.pid, startedAt: unixMilliseconds(Date.now()), generation: 2 }],
  hangups: HANGUPS_BEFORE,
  reload: answer(HANGUPS_BEFORE, "failed", "an earlier one"),
};

function answer(covers: number, outcome: ReloadState["outcome"], message: string): ReloadState {
  return { covers, outcome, message, at: unixMilliseconds(Date.now()) };
}

function change(news: Partial<ServerState>): void {
  state = { ...state, ...news };
  if (manner !== "mute") stateFile.write(state);
}

function reload(): void {
  const hangups = state.hangups + 1;
  if (manner === "dies") process.exit(1);
  else if (manner === "stops") change({ hangups, phase: "stopping" });
  else if (manner === "done") change({ hangups, phase: "serving", reload: answer(hangups, "done", "generation 3") });
  else if (manner === "failed") {
    change({ hangups, phase: "serving", reload: answer(hangups, "failed", "x.conf:1: a\nx.conf:2: b") });
  } else change({ hangups, phase: "reloading" });
}

// The word is given after the state in which there is none yet, as a real server does.
process.on("SIGHUP", () => {
  console.log("hangup");
  change({ phase: "reloading" });
  setImmediate(reload);
});
change(manner === "stopping" ? { phase: "stopping" } : {});
console.log("ready");
process.stdin.resume();
await once(process.stdin, "end");
stateFile.remove();
pidFile.release();
