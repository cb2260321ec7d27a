/**
 * Writes what was found: table.txt for people, results.json with every round for programs, plot.svg and, for narrow pages,
 * plot-tall.svg.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { drawPlot } from "./plot.js";
import { makeRecord } from "./record.js";
import { formatLegend, formatTables } from "./table.js";

export function writeReport(folder, report) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "table.txt"), formatText(report));
  writeFileSync(join(folder, "results.json"), `${JSON.stringify(makeRecord(report), null, 2)}\n`);
  writeFileSync(join(folder, "plot.svg"), drawPlot(report, 2));
  writeFileSync(join(folder, "plot-tall.svg"), drawPlot(report, 1));
}

function formatText({ date, machine, contenders, rounds, seconds, rows, limits }) {
  const { processor, cores, isVirtual, memoryGib, system, kernel, congestionControl, node } = machine;
  return [
    `${date.slice(0, 10)}: ${processor}, ${cores} cores${isVirtual ? " (virtual machine)" : ""}, ${memoryGib} GiB,`,
    `${system}, Linux ${kernel} with ${congestionControl}, node ${node}; ${rounds} rounds of ${seconds} s`,
    "",
    ...formatContenders(contenders),
    "",
    formatTables(rows),
    formatLegend(),
    ...formatLimits(limits),
    "",
  ].join("\n");
}

export function formatContenders(contenders) {
  return contenders.map(({ name, kind, version, why }) =>
    kind === "found" ? `  ${name} ${version}` : `  ${name}: not measured: ${why}`,
  );
}

export function formatLimits(limits) {
  return ["What these figures do not show:", ...limits.map((line) => `- ${line}`)];
}
