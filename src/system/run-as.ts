/**
 * Root doing something with no more rights than somebody else has, so that it is not led through that user's links to
 * where only root may go.
 */
import { type Account, posixProcess } from "./account.ts";

/**
 * Calls `act` as `account`, and is itself again afterwards. The real user stays root, so nobody can signal or trace the
 * process meanwhile.
 *
 * @param act  must not leave anything to be done later: other work would be done under that name
 */
export function runAs<Result>(account: Account | undefined, act: () => Result): Result {
  if (account === undefined) return act();
  const posix = posixProcess();
  const uid = posix.geteuid();
  const gid = posix.getegid();
  const groups = posix.getgroups();
  try {
    // The user last: then the right to change the others is gone.
    posix.setgroups([...account.groups]);
    posix.setegid(account.gid);
    posix.seteuid(account.uid);
    return act();
  } finally {
    posix.seteuid(uid);
    posix.setegid(gid);
    posix.setgroups(groups);
  }
}
