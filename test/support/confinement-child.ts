/**
 * A worker process reduced to what makes it harmless: it confines itself, executes itself anew, takes its identity, says
 * `ready`, and lives until its standard input ends.
 */

import { loadNative } from "../../src/system/native.ts";
import type { PrivilegePlan } from "../../src/system/privilege-plan.ts";
import { dropPrivileges } from "../../src/system/privileges.ts";
import { confine } from "../../src/system/sandbox.ts";
import type { Confinement } from "../../src/system/sandbox-plan.ts";

export interface ChildOrder {
  readonly privileges: PrivilegePlan;
  readonly confinement: Confinement | undefined;
}

const variable = process.env.CONFINEMENT_CHILD;
if (variable !== undefined) {
  const { privileges, confinement } = JSON.parse(variable) as ChildOrder;
  const loaded = await loadNative();
  const native = loaded.kind === "native" ? loaded.native : undefined;
  if (confinement !== undefined && native !== undefined) {
    confine(native, confinement);
    const environment = { ...process.env, CONFINEMENT_CHILD: JSON.stringify({ privileges }) };
    native.execute(process.execPath, [process.execPath, ...process.argv.slice(1)], environment, [0, 1, 2]);
  }
  dropPrivileges({ chroot: privileges.chroot, account: privileges.account }, native);
  process.stdin.resume().once("end", () => process.exit(0));
  process.stdout.write("ready\n");
}
