/** The server's logs: the primary opens them before any process drops privileges, and reopens them after a rotation. */
import { fstatSync } from "node:fs";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { isBuiltIn, type Settings } from "../config/settings.ts";
import { redirectStandardError } from "../control/start-reporter.ts";
import { stateDirectory, type UserFacts } from "../control/user-directories.ts";
import { AccessLog, type Refusal } from "../observe/access-log.ts";
import { decideConsoleLevel, type EventLevel, EventLog, type EventSink, LineSink } from "../observe/log.ts";
import { AppendedFile } from "../observe/log-file.ts";
import { describeSystemError } from "../observe/thrown.ts";
import { loadNative } from "../system/native.ts";
import { openSyslogSink, syslogNotice } from "../system/syslog-sink.ts";
import type { LogMessage } from "../worker/messages.ts";
import { type OpenedLog, openLog, planAccessLog, planErrorLog, reopenLog } from "./log-destination.ts";

/** A worker process that writes to the access log. */
export interface LogWriter {
  send(message: LogMessage): void;
  handLog(descriptor: number | undefined): void;
}

export class LogBook {
  readonly events: EventLog;
  readonly access: AccessLog;
  /** For the operator: a log is not at its usual place. */
  readonly notices: readonly string[];
  readonly accessName: string;
  /** Undefined where events are written to the console only. */
  readonly errorPath: AbsolutePath | undefined;
  readonly #files: readonly { readonly file: AppendedFile; readonly path: AbsolutePath }[];
  readonly #access: AppendedFile;
  readonly #isDaemon: boolean;
  readonly #workers = new Set<LogWriter>();
  /** The file refuses lines, so the primary writes those of all workers. */
  #isRefused = false;

  private constructor(parts: LogParts) {
    const { accessLog, errorLog, sinks, notices, isDaemon } = parts;
    this.events = new EventLog(sinks);
    this.access = new AccessLog(accessLog.file, this.events);
    this.#access = accessLog.file;
    this.accessName = accessLog.opened.name;
    this.errorPath = errorLog.opened.path;
    this.notices = notices;
    this.#files = [accessLog, errorLog].flatMap(({ file, opened: { path } }) =>
      path === undefined ? [] : [{ file, path }],
    );
    this.#isDaemon = isDaemon;
  }

  /** @throws StartupError when a log cannot be opened */
  static async open(settings: Settings, user: UserFacts, isDaemon: boolean): Promise<LogBook> {
    const environment = { isDaemon, stateDirectory: stateDirectory(user) };
    const { logfile, errorlog, syslog, syslogFacility, logLevel, quiet } = settings.server;
    // First: if it fails, there is nothing to close.
    const system = syslog ? [openSyslogSink(await loadNative(), syslogFacility, logLevel)] : [];
    const accessSpec = { target: logfile, isSet: !isBuiltIn(settings, "logfile") };
    const accessLog = withFile(openLog("access log", planAccessLog(accessSpec, environment)));
    const errorSpec = { target: errorlog, isSet: !isBuiltIn(settings, "errorlog") };
    const errorLog = withFile(openLog("error log", planErrorLog(errorSpec, accessLog.opened.path, environment)));
    const lines = chooseLineSinks(errorLog, isDaemon, logLevel, decideConsoleLevel(logLevel, quiet));
    const notices = [accessLog.opened.notice, errorLog.opened.notice, syslog ? syslogNotice() : undefined];
    return new LogBook({
      accessLog,
      errorLog,
      sinks: [...lines, ...system],
      notices: notices.filter((notice) => notice !== undefined),
      isDaemon,
    });
  }

  /** The access log for a worker that starts now. */
  get handedAccess(): { readonly name: string; readonly descriptor: number | undefined } {
    const { name, descriptor } = this.#access;
    // A pipe or a terminal may block a worker. Standard output may be shared and is perhaps not in append mode.
    const isForWorkers = descriptor > 2 && fstatSync(descriptor).isFile();
    return { name, descriptor: isForWorkers ? descriptor : undefined };
  }

  /** From now on the worker learns which process is to write. */
  attach(worker: LogWriter): void {
    this.#workers.add(worker);
    if (this.#isRefused) worker.send({ kind: "log-writer", writer: "primary" });
  }

  detach(worker: LogWriter): void {
    this.#workers.delete(worker);
  }

  /** @param refusal  the worker's file has just refused the lines */
  append(lines: Uint8Array, refusal: Refusal | undefined): void {
    this.access.append(lines, refusal);
    if (refusal !== undefined && !this.#isRefused) void this.#writeForWorkers();
  }

  /** A line that is partly written must be completed before any other, so one process writes for all. */
  async #writeForWorkers(): Promise<void> {
    this.#isRefused = true;
    for (const worker of this.#workers) worker.send({ kind: "log-writer", writer: "primary" });
    await this.access.idle();
    this.#isRefused = false;
    for (const worker of this.#workers) worker.send({ kind: "log-writer", writer: "worker" });
  }

  /** Continues in files of the same names. Where that fails, the old file stays, and the events say so. */
  reopen(): void {
    for (const { file, path } of this.#files) {
      try {
        file.useInstead(reopenLog(path));
        if (file === this.#access) this.#handAccess();
      } catch (error) {
        this.events.error(`cannot reopen ${path}: ${describeSystemError(error)}; still writing the old file`);
      }
    }
    if (this.#isDaemon && this.errorPath !== undefined) redirectStandardError(this.errorPath);
  }

  #handAccess(): void {
    const { descriptor } = this.handedAccess;
    for (const worker of this.#workers) worker.handLog(descriptor);
  }

  /** Writes the rest of the access log. Events can still be recorded. */
  async close(): Promise<void> {
    await this.access.close();
  }
}

interface LogParts {
  readonly accessLog: LogWithFile;
  readonly errorLog: LogWithFile;
  readonly sinks: readonly EventSink[];
  readonly notices: readonly string[];
  readonly isDaemon: boolean;
}

interface LogWithFile {
  readonly opened: OpenedLog;
  readonly file: AppendedFile;
}

function withFile(opened: OpenedLog): LogWithFile {
  return { opened, file: new AppendedFile(opened.descriptor, opened.name) };
}

const CONSOLE = { descriptor: 2 };

/** A daemon has no console; in the foreground the console shows events beside an error log file. */
function chooseLineSinks(
  { opened, file }: LogWithFile,
  isDaemon: boolean,
  level: EventLevel,
  consoleLevel: EventLevel,
): readonly EventSink[] {
  const console = new LineSink(CONSOLE, consoleLevel);
  if (opened.path === undefined) return [console];
  return isDaemon ? [new LineSink(file, level)] : [console, new LineSink(file, level)];
}
