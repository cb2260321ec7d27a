/**
 * `comanche tls` as a child process.
 */
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { absolutePath } from "../../src/base/absolute-path.ts";
import type { Endpoint } from "../../src/base/endpoint.ts";
import { ComancheCommand } from "./comanche-command.ts";
import { makeTree } from "./file-tree.ts";
import { endProcess } from "./live-server.ts";
import { childrenOf, isRunning } from "./process-facts.ts";
import {
  type Announce,
  makeFolder,
  type ReloadOutcome,
  type Terminator,
  type TerminatorOptions,
} from "./terminator.ts";
import { keyPath } from "./tls-client.ts";

const PATIENCE_MS = 60_000;

export interface ComancheTerminator extends Terminator {
  readonly command: ComancheCommand;
}

/** @param flags  beside those that follow from the options */
export async function startComanche(
  t: TestContext,
  options: TerminatorOptions,
  flags: readonly string[] = [],
): Promise<ComancheTerminator> {
  const top = makeTree(t);
  const folder = absolutePath(`${top}/certificates`);
  if (options.folder !== undefined) makeFolder(folder, options.folder);
  const command = runComanche(t, top, [...flagsOf(options), ...flags, ...(options.pems ?? ["p256.pem"]).map(keyPath)]);
  const [, port] = await printed(command, /(?:ends|starts) TLS at \S+:(\d+) for /);
  let reloads = 0;
  return {
    port: Number(port),
    pid: command.pid,
    folder,
    command,
    async reload(): Promise<ReloadOutcome> {
      reloads += 1;
      command.signal("SIGHUP");
      const [, words] = await printed(command, new RegExp(`(?:SIGHUP: (generation|reload failed)[^]*){${reloads}}`));
      return words === "generation" ? "taken up" : "refused";
    },
  };
}

/** Waits until it has printed this. @throws when that takes too long */
export async function printed(command: ComancheCommand, pattern: RegExp): Promise<RegExpExecArray> {
  const patience = new AbortController();
  const late = setTimeout(PATIENCE_MS, undefined, { signal: patience.signal }).then(() => {
    throw new Error(`it has not printed ${pattern} in ${PATIENCE_MS} ms`);
  });
  // Called off.
  late.catch(() => undefined);
  return Promise.race([command.printed(pattern), late]).finally(() => patience.abort());
}

/** Runs `comanche tls`, which has ended with its workers when the test has. */
export function runComanche(t: TestContext, cwd: string, args: readonly string[]): ComancheCommand {
  const command = new ComancheCommand(["tls", ...args], { cwd });
  t.after(async () => {
    const workers = isRunning(command.pid) ? childrenOf(command.pid) : [];
    await command.kill();
    for (const pid of workers) endProcess(pid);
  });
  return command;
}

const ANNOUNCE: Readonly<Record<Announce, string>> = {
  ip: "--write-ip",
  "proxy-v1": "--write-proxy",
  "proxy-v2": "--write-proxy-v2",
  "passed-on": "--proxy-proxy",
};

function flagsOf(options: TerminatorOptions): readonly string[] {
  const { host = "127.0.0.1", announce, clientCa, clientVerify, minVersion, alpn, workers = 1 } = options;
  return [
    ...["-f", `[${host}]:0`, "-b", formatBackend(options.backend), "-n", `${workers}`],
    ...(options.folder === undefined ? [] : ["--tls-dir", "certificates"]),
    ...(announce === undefined ? [] : [ANNOUNCE[announce]]),
    ...(clientCa === undefined ? [] : ["--tls-client-ca", keyPath(clientCa)]),
    ...(clientVerify === undefined
      ? []
      : ["--tls-client-verify", clientVerify === "required" ? "require" : "optional"]),
    ...(options.sniStrict === true ? ["--tls-sni-strict"] : []),
    ...(minVersion === undefined ? [] : ["--tls-min-version", minVersion]),
    ...(alpn === undefined ? [] : ["--alpn", alpn.join(",")]),
  ];
}

function formatBackend(place: Endpoint): string {
  return place.kind === "unix" ? `unix:${place.path}` : `[${place.host}]:${place.port}`;
}
