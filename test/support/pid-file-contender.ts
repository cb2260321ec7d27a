/**
 * Takes the PID file named by its argument when it is told to (a line of input), says `got` or why not, and holds the
 * file until its input ends. TERM ends it too, unless its second argument is `stubborn`.
 */
import { once } from "node:events";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { acquirePidFile, type PidFile } from "../../src/control/pid-file.ts";

process.title = "comanche: primary";

const [path = "", manner] = process.argv.slice(2);
if (manner === "stubborn") process.on("SIGTERM", () => {});
console.log("ready");
await once(process.stdin, "data");
let file: PidFile | undefined;
try {
  file = acquirePidFile([{ path: absolutePath(path), folderMode: undefined }]);
  console.log("got");
} catch (error) {
  console.log(error instanceof Error ? `${error.name}: ${error.message}` : error);
}
await once(process.stdin, "end");
file?.release();
