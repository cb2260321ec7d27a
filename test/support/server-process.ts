/**
 * The real server as a child process in the foreground, on a free port of 127.0.0.1, in a directory of its own that is
 * removed when it stops.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));
const PATIENCE_MS = 180_000;

/** What stands at a path: a file's content, a symbolic link, an empty directory or a named pipe. */
export type Entry =
  | string
  | Uint8Array
  | { readonly link: string }
  | { readonly directory: true }
  | { readonly fifo: true };

export interface ServerOptions {
  /** Paths below the temporary directory; the docbase is `htdocs` in it. */
  readonly files?: Readonly<Record<string, Entry>>;
  /** The docbase of several servers, in place of `files`. It is left behind. */
  readonly docbase?: string;
  /** Seconds since 1970, given to every file. */
  readonly modified?: number;
  /** Text of the configuration file; the empty file when absent. */
  readonly configuration?: string;
  readonly flags?: readonly string[];
}

/** How a process ended: `status` is null when a signal ended it. */
export interface ExitResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One listener for all servers: Node warns of more than ten. */
const abandonments = new Set<() => void>();
process.once("exit", () => {
  for (const abandon of abandonments) abandon();
});

export class ServerProcess {
  readonly port: number;
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #exit: Promise<ExitResult>;
  readonly #output: () => string;

  private constructor(
    port: number,
    directory: string,
    child: ChildProcess,
    exit: Promise<ExitResult>,
    output: () => string,
  ) {
    this.port = port;
    this.directory = directory;
    this.#child = child;
    this.#exit = exit;
    this.#output = output;
  }

  /** @throws with everything the server printed, when it ends before it prints its URL */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const directory = mkdtempSync(join(tmpdir(), "comanche-test-"));
    const docbase = options.docbase ?? join(directory, "htdocs");
    mkdirSync(docbase, { recursive: true });
    writeTree(directory, options.files ?? {}, options.modified);
    const configuration = join(directory, "comanche.conf");
    writeFileSync(configuration, options.configuration ?? "");
    const place = ["-c", configuration, "-a", "127.0.0.1", "-p", "0", "-b", docbase, "-l", "-"];
    const child = spawn(process.execPath, [MAIN, "-d", ...place, ...(options.flags ?? [])], {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    // For a test run that is broken off: nobody else would end the server then.
    const abandon = (): void => {
      child.kill("SIGKILL");
      rmSync(directory, { recursive: true, force: true });
    };
    abandonments.add(abandon);

    let output = "";
    const exit = new Promise<ExitResult>((resolve) => {
      child.once("close", (status, signal) => {
        abandonments.delete(abandon);
        rmSync(directory, { recursive: true, force: true });
        resolve({ status, signal });
      });
    });
    const port = await new Promise<number>((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`${why}; it printed: ${output}`));
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        fail(`the server printed no URL in ${PATIENCE_MS} ms`);
      }, PATIENCE_MS);
      const read = (text: string): void => {
        output += text;
        const url = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(output);
        if (url === null) return;
        clearTimeout(timer);
        resolve(Number(url[1]));
      };
      child.stdout?.setEncoding("utf8").on("data", read);
      child.stderr?.setEncoding("utf8").on("data", read);
      void exit.then(({ status }) => {
        clearTimeout(timer);
        fail(`the server ended with status ${status}`);
      });
    });
    return new ServerProcess(port, directory, child, exit, () => output);
  }

  /** Everything printed so far, standard output and standard error in order of arrival. */
  get output(): string {
    return this.#output();
  }

  /** SIGTERM, then the exit status; the temporary directory is gone afterwards. */
  async stop(): Promise<ExitResult> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE_MS);
    const result = await this.#exit;
    clearTimeout(timer);
    return result;
  }
}

/** Makes files, links and directories below `directory`, with the folders they need. */
export function writeTree(directory: string, files: Readonly<Record<string, Entry>>, modified?: number): void {
  for (const [name, entry] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof entry === "string" || entry instanceof Uint8Array) {
      writeFileSync(path, entry);
      if (modified !== undefined) utimesSync(path, modified, modified);
    } else if ("link" in entry) {
      symlinkSync(entry.link, path);
    } else if ("fifo" in entry) {
      execFileSync("mkfifo", [path]);
    } else {
      mkdirSync(path, { recursive: true });
    }
  }
}
