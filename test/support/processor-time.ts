/** Milliseconds of processor time that `work` costs this process: what else runs on the machine does not count. */
export function processorTimeOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
