import type { PrivilegePlan } from "../../src/system/privilege-plan.ts";

/** The plan of a server that has neither user, group nor chroot. */
export const NO_CHANGE: PrivilegePlan = { chroot: undefined, account: undefined };
