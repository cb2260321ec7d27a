/**
 * Transcripts: conversations with the server written down in Markdown, exact bytes both ways. The format is explained in
 * `test/transcripts/README.md`; this file turns its text into steps. What the lines of a step mean is in
 * `transcript-text.ts`, and `transcript-play.ts` carries the steps out.
 */

export interface Transcript {
  readonly title: string;
  readonly cases: readonly Case[];
  readonly vocabulary: Vocabulary;
}

/** What cases refer to by name; a file may add to what the README defines. */
export interface Vocabulary {
  /** Lines that stand for `<NAME …>` in a receive block. */
  readonly definitions: ReadonlyMap<string, readonly string[]>;
  /** Texts of configuration files. */
  readonly configurations: ReadonlyMap<string, string>;
}

export interface Case {
  readonly name: string;
  /** The line of its heading, from 1. */
  readonly line: number;
  readonly configuration: string;
  /** Played whole only: the case depends on time, or changes what the server would answer to a second run. */
  readonly once: boolean;
  readonly steps: readonly Step[];
}

export interface Step {
  readonly kind: "send" | "receive";
  /** Connections of a case are told apart by a label; the first one's is empty. */
  readonly connection: string;
  readonly line: number;
  readonly lines: readonly string[];
}

const DEFAULT_CONFIGURATION = "plain";
const NOTHING: Vocabulary = { definitions: new Map(), configurations: new Map() };
const KINDS = ["send", "receive", "define", "config"] as const;

interface Fence {
  readonly kind: (typeof KINDS)[number];
  readonly label: string;
  readonly line: number;
  readonly lines: readonly string[];
}

/** A case while its lines are being read. */
interface OpenCase {
  readonly name: string;
  readonly line: number;
  readonly steps: Step[];
  configuration: string;
  once: boolean;
}

/** @throws with file and line, for anything that is not a transcript: a case that was silently dropped would always pass */
export function parseTranscript(file: string, text: string, known: Vocabulary = NOTHING): Transcript {
  const fault = (line: number, what: string): never => {
    throw new Error(`${file}:${line}: ${what}`);
  };
  const definitions = new Map(known.definitions);
  const configurations = new Map(known.configurations);
  const cases: OpenCase[] = [];
  const names = new Set<string>();
  let title = "";
  let configuration = DEFAULT_CONFIGURATION;

  const takeFence = (fence: Fence): void => {
    const current = cases.at(-1);
    switch (fence.kind) {
      case "define":
        definitions.set(fence.label, fence.lines);
        return;
      case "config":
        configurations.set(fence.label, fence.lines.join("\n"));
        return;
      case "send":
      case "receive":
        if (current === undefined) fault(fence.line, `a ${fence.kind} block before the first case`);
        current?.steps.push({ kind: fence.kind, connection: fence.label, line: fence.line, lines: fence.lines });
    }
  };
  const takeProse = (line: string, at: number): void => {
    const current = cases.at(-1);
    const [, key, value = ""] = /^(config|run): (\S+)$/.exec(line) ?? [];
    if (line.startsWith("## ")) {
      const name = line.slice(3).trim();
      if (names.has(name)) fault(at, `a second case of the name "${name}"`);
      names.add(name);
      cases.push({ name, line: at, steps: [], configuration, once: false });
    } else if (line.startsWith("# ")) title = line.slice(2).trim();
    else if (key === "config" && current === undefined) configuration = value;
    else if (key === "config" && current !== undefined) current.configuration = value;
    else if (key === "run" && value === "once" && current !== undefined) current.once = true;
    else if (key !== undefined) fault(at, `cannot be understood here: ${line}`);
  };

  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (!line.startsWith("```")) {
      takeProse(line, at + 1);
      continue;
    }
    const [word = "", label = ""] = line.slice(3).split(" ");
    const kind = KINDS.find((known) => known === word) ?? fault(at + 1, `a block of unknown kind "${word}"`);
    const end = lines.indexOf("```", at + 1);
    if (end < 0) fault(at + 1, "a block without end");
    takeFence({ kind, label, line: at + 1, lines: lines.slice(at + 1, end) });
    at = end;
  }
  for (const { name, line, steps, configuration } of cases) {
    if (!steps.some((step) => step.kind === "receive")) fault(line, `"${name}" receives nothing, so it cannot fail`);
    if (!configurations.has(configuration)) fault(line, `no configuration of the name "${configuration}"`);
  }
  return { title, cases, vocabulary: { definitions, configurations } };
}
