/** The user's state and runtime directories. The XDG Base Directory Specification demands to ignore relative paths. */
import { homedir } from "node:os";
import { join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";

export interface UserFacts {
  readonly isRoot: boolean;
  readonly home: string;
  readonly environment: NodeJS.ProcessEnv;
}

export function readUserFacts(): UserFacts {
  return { isRoot: process.geteuid?.() === 0, home: homedir(), environment: process.env };
}

/** `$XDG_STATE_HOME/comanche`, or `~/.local/state/comanche`. It need not exist. */
export function stateDirectory(user: UserFacts): AbsolutePath {
  const home = absoluteOr(user.home, absolutePath("/"));
  const state = absoluteOr(user.environment.XDG_STATE_HOME, absolutePath(join(home, ".local/state")));
  return absolutePath(join(state, "comanche"));
}

/** `$XDG_RUNTIME_DIR`, which ends with the user's session; undefined where there is none. */
export function runtimeDirectory(user: UserFacts): AbsolutePath | undefined {
  return absoluteOr(user.environment.XDG_RUNTIME_DIR, undefined);
}

function absoluteOr<Other>(path: string | undefined, other: Other): AbsolutePath | Other {
  return path?.startsWith("/") ? absolutePath(path) : other;
}
