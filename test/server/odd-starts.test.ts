/** The server as odd parents start it: without account and HOME in a unit, as PID 1, and in a terminal that closes. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ComancheCommand, ordinaryUserCannotRun, scriptOfCommand } from "../support/comanche-command.ts";
import { makeTree } from "../support/file-tree.ts";
import { childrenOf, statusOf } from "../support/process-facts.ts";
import { missing } from "../support/proxy-programs.ts";
import { onlyRoot } from "../support/root.ts";
import { until } from "../support/until.ts";

const NO_ACCOUNT = 54321;
const FLAGS = ["-d", "-n", "1", "-p", "0", "-b", "htdocs", "-l", "/dev/null"];
const nameOf = (pid: number): string => statusOf(pid).get("Name") ?? "";

test("without account and HOME, in a unit with a runtime directory: it serves, and the commands find it", {
  skip: onlyRoot || ordinaryUserCannotRun,
}, async (t) => {
  const top = makeTree(t, { "htdocs/small.txt": "small" });
  chmodSync(top, 0o755);
  mkdirSync(`${top}/run`);
  chmodSync(`${top}/run`, 0o777);
  const options = { cwd: top, userId: NO_ACCOUNT, environment: { RUNTIME_DIRECTORY: `${top}/run`, TZ: "<+03>-3" } };
  const server = new ComancheCommand(FLAGS, options);
  t.after(() => server.kill());
  await server.port();
  assert.equal(readFileSync(`${top}/run/comanche.pid`, "utf8"), `${server.pid}\n`);
  const version = new ComancheCommand(["-V"], options);
  assert.match((await version.end).standardOutput, /^\d/);
  const stop = new ComancheCommand(["stop"], options);
  assert.deepEqual(await stop.end, {
    status: 0,
    signal: null,
    standardOutput: `stopped (PID ${server.pid})\n`,
    standardError: "",
  });
  const { status, standardError } = await server.end;
  assert.equal(status, 0, standardError);
  const there = new Date(Date.now() + 3 * 3_600_000).toISOString().slice(0, 10);
  assert.match(standardError, new RegExp(`^\\[${there} `));
  assert.equal(existsSync(`${top}/run/comanche.pid`), false);
});

test("as PID 1: what others leave behind is reaped", { skip: onlyRoot || missing("unshare", "nsenter") }, async (t) => {
  const top = makeTree(t, { "htdocs/small.txt": "small" });
  const command = new ComancheCommand(FLAGS, {
    cwd: top,
    starter: ["unshare", "-p", "-f", "--kill-child", "--mount-proc"],
  });
  t.after(() => command.kill());
  await command.port();
  const [primary = 0] = childrenOf(command.pid);
  const workers = childrenOf(primary);
  // The shell ends at once, and PID 1 inherits its children.
  execFileSync("nsenter", ["-t", String(primary), "-p", "-m", "sh", "-c", "sleep 0.1 & sleep 0.2 & sleep 0.3 &"]);
  await until("the orphans have gone", () => childrenOf(primary).every((pid) => nameOf(pid) !== "sleep"));
  assert.deepEqual(childrenOf(primary), workers);
});

const terminals: [name: string, starter: readonly string[], event: RegExp][] = [
  ["a server that it was started in stops, and does not abort", [], /SIGHUP: stopping[\s\S]*\] stopped$/m],
  ["under nohup it goes on", ["nohup"], /SIGHUP: generation 2 serves/],
];
for (const [name, starter, event] of terminals) {
  test(`a terminal that closes: ${name}`, { skip: onlyRoot || missing("script", "setsid", "nohup") }, async (t) => {
    const top = makeTree(t, { "htdocs/small.txt": "small" });
    const words = [...starter, process.execPath, scriptOfCommand, ...FLAGS, "--errorlog", "events", "--pidfile", "pid"];
    // The shell outlives the terminal, and tells how the server ended. With -c the terminal belongs to the server.
    const line = `trap "" HUP; setsid -c -w ${words.join(" ")}; echo $? >status`;
    const terminal = spawn("script", ["-qfc", line, "/dev/null"], { cwd: top, stdio: "ignore" });
    t.after(() => terminal.kill("SIGKILL"));
    const read = (file: string): string => (existsSync(`${top}/${file}`) ? readFileSync(`${top}/${file}`, "utf8") : "");
    await until("it serves", () => /serves/.test(read("events")));
    const pid = Number(read("pid"));
    terminal.kill("SIGKILL");
    await until("it has heard of it", () => event.test(read("events")), { facts: () => read("events") });
    if (starter.length > 0) process.kill(pid, "SIGTERM");
    assert.equal(await until("it has ended", () => read("status") || undefined), "0\n");
  });
}
