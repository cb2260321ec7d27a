/**
 * hitch(8), the living successor of stud: what Comanche's terminator is held against, where it is installed.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import type { Endpoint } from "../../src/base/endpoint.ts";
import { makeTree } from "./file-tree.ts";
import { findFreePort } from "./free-port.ts";
import {
  type Announce,
  makeFolder,
  type ReloadOutcome,
  type Terminator,
  type TerminatorOptions,
} from "./terminator.ts";
import { keyPath } from "./tls-client.ts";

/** For node:test's `skip`. */
export const hitchIsMissing: string | false =
  spawnSync("hitch", ["--version"]).error === undefined ? false : "hitch is not installed";

const PATIENCE_MS = 60_000;
/** Far more than it takes to hear a signal. */
const HEARD_MS = 2000;

export async function startHitch(t: TestContext, options: TerminatorOptions): Promise<Terminator> {
  const top = makeTree(t);
  const folder = absolutePath(`${top}/certificates`);
  if (options.folder !== undefined) makeFolder(folder, options.folder);
  const { host = "127.0.0.1", workers = 1 } = options;
  // Its workers would take a different one each of port 0.
  const port = await findFreePort(host);
  writeFileSync(`${top}/hitch.conf`, [...configuration(options, host, port, folder), ""].join("\n"));
  const command = new HitchCommand(t, `${top}/hitch.conf`);
  const onlineTimes = new RegExp(`(?:Process \\d+ online[^]*){${workers}}`);
  await command.printed(onlineTimes);
  await command.printed(/initialization complete/);
  return {
    port,
    pid: command.pid,
    folder,
    async reload(): Promise<ReloadOutcome> {
      const begin = command.output.length;
      command.signal("SIGHUP");
      // One that comes before it looks for signals is lost, and it does not tell when it does.
      await command.printed(/Received SIGHUP/, begin, HEARD_MS).catch(() => command.signal("SIGHUP"));
      const [words] = await command.printed(new RegExp(`Config reload failed|${onlineTimes.source}`), begin);
      return words === "Config reload failed" ? "refused" : "taken up";
    },
  };
}

const ANNOUNCE: Readonly<Record<Announce, string>> = {
  ip: "write-ip",
  "proxy-v1": "write-proxy-v1",
  "proxy-v2": "write-proxy-v2",
  "passed-on": "proxy-proxy",
};

function configuration(
  options: TerminatorOptions,
  host: string,
  port: number,
  folder: AbsolutePath,
): readonly string[] {
  const { pems = ["p256.pem"], announce, clientCa, clientVerify = "required", minVersion, alpn, workers = 1 } = options;
  return [
    `frontend = "[${host}]:${port}"`,
    `backend = "${formatBackend(options.backend)}"`,
    ...pems.map((name) => `pem-file = "${keyPath(name)}"`),
    ...(options.folder === undefined ? [] : [`pem-dir = "${folder}"`, 'pem-dir-glob = "*.pem"']),
    `workers = ${workers}`,
    ...(announce === undefined ? [] : [`${ANNOUNCE[announce]} = on`]),
    ...(clientCa === undefined ? [] : [`client-verify = ${clientVerify}`, `client-verify-ca = "${keyPath(clientCa)}"`]),
    ...(options.sniStrict === true ? ["sni-nomatch-abort = on"] : []),
    ...(minVersion === undefined ? [] : [`tls-protos = ${minVersion === "1.3" ? "TLSv1.3" : "TLSv1.2 TLSv1.3"}`]),
    ...(alpn === undefined ? [] : [`alpn-protos = "${alpn.join(",")}"`]),
    // It refuses to stay root.
    ...(process.geteuid?.() === 0 ? ['user = "nobody"'] : []),
    'ocsp-dir = ""',
    "daemon = off",
    // Tells when it is ready.
    "log-level = 2",
  ];
}

function formatBackend(place: Endpoint): string {
  return place.kind === "unix" ? place.path : `[${place.host}]:${place.port}`;
}

/** It runs until the test ends. */
class HitchCommand {
  readonly pid: number;
  readonly #child;
  #output = "";
  #onOutput: () => void = () => undefined;

  constructor(t: TestContext, configurationFile: string) {
    const child = spawn("hitch", [`--config=${configurationFile}`], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    if (child.pid === undefined) throw new Error("hitch did not start");
    this.pid = child.pid;
    const kill = (): void => void child.kill("SIGTERM");
    process.once("exit", kill);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
        this.#onOutput();
      });
    }
    const ended = once(child, "close").then(() => {
      process.off("exit", kill);
      this.#onOutput();
    });
    t.after(async () => {
      kill();
      const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
      await ended.finally(() => clearTimeout(late));
    });
  }

  get output(): string {
    return this.#output;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** @param begin  where in the output it begins to look. @throws when it ends without, or takes too long */
  async printed(pattern: RegExp, begin = 0, patience = PATIENCE_MS): Promise<RegExpExecArray> {
    const end = performance.now() + patience;
    for (;;) {
      const match = pattern.exec(this.#output.slice(begin));
      if (match !== null) return match;
      const hasEnded = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (hasEnded || performance.now() > end) throw new Error(`hitch did not print ${pattern}: ${this.#output}`);
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, end - performance.now());
        this.#onOutput = () => {
          clearTimeout(late);
          resolve();
        };
      });
    }
  }
}

/**
 * Tries a configuration that should be refused.
 *
 * @param lines  of the configuration, beside those that follow from the options
 * @returns its exit status, and what it has said
 */
export function tryHitch(
  t: TestContext,
  options: TerminatorOptions,
  lines: readonly string[],
): { readonly status: number | null; readonly said: string } {
  const top = makeTree(t);
  const text = [...configuration(options, "127.0.0.1", 1, absolutePath(`${top}/certificates`)), ...lines, ""];
  writeFileSync(`${top}/hitch.conf`, text.join("\n"));
  const { status, stdout, stderr } = spawnSync("hitch", ["--test", `--config=${top}/hitch.conf`], { encoding: "utf8" });
  return { status, said: stdout + stderr };
}
