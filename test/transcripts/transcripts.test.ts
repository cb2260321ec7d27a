/**
 * Plays every transcript of this folder against the real server: one process for each configuration.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ServerProcess } from "../support/server-process.ts";
import { parseTranscript, type Vocabulary } from "../support/transcript.ts";
import { playCase, waysToPlay } from "../support/transcript-play.ts";
import { SITE_FILES, SITE_MODIFIED } from "../support/transcript-site.ts";

// The text stays where it was written; this file runs from the compiler's output.
const FOLDER = fileURLToPath(new URL("../../../test/transcripts/", import.meta.url));
const README = "README.md";
/** How many cases of a file are played at a time. */
const CONCURRENCY = 16;

const read = (file: string, known?: Vocabulary) => parseTranscript(file, readFileSync(FOLDER + file, "utf8"), known);
const { vocabulary } = read(README);
const transcripts = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".md") && file !== README)
  .sort()
  .map((file) => ({ file, ...read(file, vocabulary) }));

/** By the text of the configuration. */
const servers = new Map<string, Promise<ServerProcess>>();

function serverFor(configuration: string): Promise<ServerProcess> {
  const running = servers.get(configuration);
  if (running !== undefined) return running;
  const starting = ServerProcess.start({ files: SITE_FILES, modified: SITE_MODIFIED, configuration });
  servers.set(configuration, starting);
  return starting;
}

describe("transcripts", () => {
  for (const { file, cases, vocabulary } of transcripts) {
    describe(file, { concurrency: CONCURRENCY }, () => {
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
    for (const [index, { status }] of ended.entries()) {
      const output = running[index]?.output ?? "";
      assert.equal(status, 0, output);
      assert.doesNotMatch(output, /^\s+at .+:\d+:\d+\)?$/m, "a fault of the server was logged with its stack");
    }
  });
});
