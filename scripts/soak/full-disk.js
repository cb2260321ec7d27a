/**
 * No room left for uploads: a file system of 20 MB that is really full (root only, for the mount), and `upload-quota`.
 *
 *     node scripts/soak/full-disk.js
 *
 * Each time uploads go on until they are refused, some at once, with and without a length told before: 507, nothing that
 * was stored suffers, nothing is left of what was refused, everything else is served, and uploads succeed again when
 * there is room again.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, statfsSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.js";
import { compareWithReceipts, makeDocument, readReceipt, readUploads, sha256, upload } from "./documents.js";
import { Server } from "./server.js";
import { runTrial, tally } from "./trial.js";

const MEGABYTE = 1_000_000;
const AT_ONCE = 6;
const QUOTA = "5m";
const QUOTA_BYTES = 5 * 2 ** 20;

async function run(trial) {
  const { htdocs, defer, figure } = trial;
  writeFileSync(join(htdocs, "small.txt"), "small");

  const limited = join(htdocs, "limited");
  mkdirSync(limited);
  await fill(`upload-quota of ${QUOTA}`, limited, ["--upload-quota", QUOTA], trial, () => {
    const used = bytesIn(limited);
    trial.check("no more than the quota is stored", used <= QUOTA_BYTES, `${used} of ${QUOTA_BYTES} bytes`);
  });

  if (process.getuid() !== 0) return figure("a full file system", "skipped, because only root may mount one");
  const disk = join(htdocs, "disk");
  mkdirSync(disk);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=20m", "tmpfs", disk], { stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    return figure("a full file system", `skipped, because mount failed: ${error.stderr}`);
  }
  defer(() => execFileSync("umount", ["-l", disk]));
  await fill("a file system of 20 MB", disk, [], trial, () => {
    const { bfree, bsize } = statfsSync(disk);
    figure("left on it", `${bfree * bsize} bytes`);
  });
}

async function fill(title, directory, flags, trial, examineFull) {
  const { check, figure } = trial;
  const server = await Server.start(trial, { flags: ["--upload-dir", directory, ...flags] });
  const { port } = server;
  const receipts = [];
  const refusals = [];

  for (let round = 0; round < 20 && refusals.length === 0; round += 1)
    await uploadSome(port, MEGABYTE, receipts, refusals);
  const answers = tally([...receipts.map(() => 201), ...refusals.map(({ status }) => status)]);
  figure(title, answers);
  await uploadSome(port, 3 * MEGABYTE, receipts, refusals);
  const isRefused = refusals.length > AT_ONCE && refusals.every(({ status }) => status === 507);
  check("what does not fit is answered 507", isRefused, tally(refusals.map(({ status }) => status ?? "no answer")));
  check(
    "with the reason",
    refusals.every(({ body }) => body?.includes("no-space")),
  );
  examineFull();
  await checkDirectory("when full", directory, receipts, trial);
  const page = await fetchOnce(port, "/small.txt");
  check("other files are served", page.status === 200, page.status);
  const first = await fetchOnce(port, `/${directory.slice(directory.lastIndexOf("/") + 1)}/${receipts[0]?.name}`);
  check("so are the uploads there are", sha256(first.body ?? "") === receipts[0]?.sha256, first.status);

  const dropped = receipts.splice(0, 3);
  for (const { name } of dropped) unlinkSync(join(directory, name));
  const before = receipts.length;
  // The room that uploads take is measured anew every few seconds only.
  for (let i = 0; i < 80 && receipts.length < before + 2; i += 1) {
    await uploadOne(port, MEGABYTE, false, receipts, refusals);
    if (receipts.length === before) await sleep(100);
  }
  const again = receipts.length - before;
  check("with room again uploads succeed", again === 2, `${again} of 2`);
  await checkDirectory("at the end", directory, receipts, trial);
  check("the server still runs and stops with 0", (await server.stop()).status === 0);
}

let serial = 0;

async function uploadSome(port, size, receipts, refusals) {
  await Promise.all(
    Array.from({ length: AT_ONCE }, (_, index) => uploadOne(port, size, index % 2 === 1, receipts, refusals)),
  );
}

async function uploadOne(port, size, chunked, receipts, refusals) {
  const document = makeDocument(serial++, size);
  const client = await Client.connect(port);
  try {
    const answer = await upload(client, document, { chunked });
    if (answer.status === 201) receipts.push(readReceipt(answer));
    else refusals.push(answer);
  } catch (error) {
    console.log(`         ${error.message}`);
    refusals.push({ status: undefined });
  }
  client.close();
}

/** What was refused may be cleaned up a moment after its answer. */
async function checkDirectory(when, directory, receipts, { check }) {
  for (let i = 0; i < 50 && readUploads(directory).others.length > 0; i += 1) await sleep(20);
  const faults = compareWithReceipts(directory, receipts);
  check(
    `${when}: exactly the acknowledged uploads, intact, and no litter`,
    faults.length === 0,
    faults.slice(0, 3).join("; "),
  );
}

async function fetchOnce(port, path) {
  const client = await Client.connect(port);
  const answer = await client.exchange({ path });
  client.close();
  return answer;
}

function bytesIn(directory) {
  return Number(
    execFileSync("find", [directory, "-type", "f", "-printf", "%s\n"], { encoding: "utf8" })
      .split("\n")
      .reduce((sum, size) => sum + Number(size), 0),
  );
}

await runTrial("no room for uploads", 120, run);
