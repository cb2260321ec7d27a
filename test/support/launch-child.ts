/**
 * A daemon in miniature. Its first argument says how it starts, its second the port of the test: it connects to that,
 * sends what it knows of itself as one line of JSON, and lives as long as the connection.
 */
import { readFileSync, readlinkSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { openStartReporter } from "../../src/control/start-reporter.ts";

const [manner, port, crashLog] = process.argv.slice(2);

function report(isDaemon: boolean): void {
  const session = readFileSync("/proc/self/stat", "latin1").split(") ")[1]?.split(" ")[3];
  const facts = {
    pid: process.pid,
    isDaemon,
    session: Number(session),
    folder: process.cwd(),
    mark: process.env.COMANCHE_DAEMON ?? "none",
    isConnected: process.connected ?? false,
    standardError: readlinkSync("/proc/self/fd/2"),
  };
  const socket = connect(Number(port), "127.0.0.1");
  socket.write(`${JSON.stringify(facts)}\n`);
  socket
    .on("close", () => process.exit(0))
    .on("error", () => process.exit(1))
    .resume();
}

const startReporter = openStartReporter(() => process.exit(7));
switch (manner) {
  case "ready":
    writeSync(2, "a warning\n");
    await startReporter.reportReady(["first line", "second line"], crashLog);
    report(startReporter.isDaemon);
    break;
  case "failed":
    await startReporter.reportFailure("port 80 is taken", 1);
    process.exit(1);
    break;
  case "throw":
    throw new Error("a fault of ours");
  case "exit":
    process.exit(9);
    break;
  case "signal":
    process.kill(process.pid, "SIGKILL");
    break;
  default:
    // Never says a word.
    report(startReporter.isDaemon);
}
