/**
 * Plays every transcript of this folder against the real server: one process for each configuration.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ServerProcess, writeTree } from "../support/server-process.ts";
import { parseTranscript, type Vocabulary } from "../support/transcript.ts";
import { playCase, waysToPlay } from "../support/transcript-play.ts";
import { SITE_FILES, SITE_MODIFIED } from "../support/transcript-site.ts";

// The text stays where it was written; this file runs from the compiler's output.
const FOLDER = fileURLToPath(new URL("../../../test/transcripts/", import.meta.url));
const README = "README.md";
/** How many files are played at a time, and how many cases of each: while one waits for its server, another plays. */
const FILES_AT_ONCE = 4;
const CASES_AT_ONCE = 8;

const read = (file: string, known?: Vocabulary) => parseTranscript(file, readFileSync(FOLDER + file, "utf8"), known);
const { vocabulary } = read(README);
const transcripts = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".md") && file !== README)
  .sort()
  .map((file) => ({ file, ...read(file, vocabulary) }));

/** By the text of the configuration. */
const servers = new Map<string, Promise<ServerProcess>>();
const shared = mkdtempSync(join(tmpdir(), "comanche-transcripts-"));
writeTree(shared, SITE_FILES, SITE_MODIFIED);

function serverFor(configuration: string): Promise<ServerProcess> {
  const running = servers.get(configuration);
  if (running !== undefined) return running;
  // Uploads change the site, and its quota depends on what others stored: only servers that take none share one.
  const takesUploads = configuration === "" || configuration.includes("upload");
  const site = takesUploads ? { files: SITE_FILES, modified: SITE_MODIFIED } : { docbase: join(shared, "htdocs") };
  // One process each, but for the first: a process takes longer to start than most conversations.
  const flags = configuration === "" ? [] : ["--processes", "1"];
  const starting = ServerProcess.start({ ...site, flags, configuration: withoutHurry(configuration) });
  servers.set(configuration, starting);
  return starting;
}

/** The default timeout of 3 s would end conversations on a busy machine. */
function withoutHurry(configuration: string): string {
  const section = "[Main server configuration]\n";
  if (/^timeout =/m.test(configuration)) return configuration;
  const rest = configuration.startsWith(section) ? configuration.slice(section.length) : configuration;
  return `${section}timeout = 60s\n${rest}`;
}

describe("transcripts", { concurrency: FILES_AT_ONCE }, () => {
  for (const { file, cases, vocabulary } of transcripts) {
    describe(file, { concurrency: CASES_AT_ONCE }, () => {
      for (const played of cases) {
        test(played.name, async () => {
          const { port } = await serverFor(vocabulary.configurations.get(played.configuration) ?? "");
          for (const pieces of waysToPlay(played)) await playCase(played, vocabulary, port, pieces);
        });
      }
    });
  }

  after(async () => {
    const started = await Promise.allSettled(servers.values());
    const running = started.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    const ended = await Promise.all(running.map((server) => server.stop()));
    rmSync(shared, { recursive: true, force: true });
    for (const [index, { status }] of ended.entries()) {
      const output = running[index]?.output ?? "";
      assert.equal(status, 0, output);
      assert.doesNotMatch(output, /^\s+at .+:\d+:\d+\)?$/m, "a fault of the server was logged with its stack");
    }
  });
});
