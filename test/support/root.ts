/** Who may run a test: for the `skip` of node:test, the reason, or false when it can run. */
export const onlyRoot = process.geteuid?.() === 0 ? false : "only root can change its user";
export const onlyOthers = process.geteuid?.() === 0 ? "only an ordinary user is refused this" : false;
