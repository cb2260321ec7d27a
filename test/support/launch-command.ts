/**
 * A command that starts `launch-child` as its daemon, with the same arguments.
 */
import { launch } from "../../src/control/launch.ts";
import { scriptPath } from "./child-script.ts";

process.exitCode = await launch({
  entry: scriptPath("launch-child"),
  args: process.argv.slice(2),
  standardOutput: (text) => process.stdout.write(text),
  standardError: (text) => process.stderr.write(text),
});
