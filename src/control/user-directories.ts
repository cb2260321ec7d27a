/** The user's state and runtime directories. The XDG Base Directory Specification demands to ignore relative paths. */
import { homedir } from "node:os";
import { join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { attempt } from "../base/errors.ts";

export interface UserFacts {
  readonly isRoot: boolean;
  /** Undefined for a user without an account, where HOME is not set either. */
  readonly home: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
}

export function readUserFacts(): UserFacts {
  return { isRoot: process.geteuid?.() === 0, home: attempt(homedir), environment: process.env };
}

/** `$XDG_STATE_HOME/comanche`, or `~/.local/state/comanche`. It need not exist. */
export function stateDirectory(user: UserFacts): AbsolutePath {
  const home = absoluteOr(user.home, absolutePath("/"));
  const state = absoluteOr(user.environment.XDG_STATE_HOME, absolutePath(join(home, ".local/state")));
  return absolutePath(join(state, "comanche"));
}

/** The first of RuntimeDirectory= in the unit that started us (systemd.exec(5)); undefined where there is none. */
export function serviceDirectory(user: UserFacts): AbsolutePath | undefined {
  return absoluteOr(user.environment.RUNTIME_DIRECTORY?.split(":")[0], undefined);
}

/** `$XDG_RUNTIME_DIR`, which ends with the user's session; undefined where there is none. */
export function runtimeDirectory(user: UserFacts): AbsolutePath | undefined {
  return absoluteOr(user.environment.XDG_RUNTIME_DIR, undefined);
}

function absoluteOr<Other>(path: string | undefined, other: Other): AbsolutePath | Other {
  return path?.startsWith("/") ? absolutePath(path) : other;
}
