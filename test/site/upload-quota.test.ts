import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { type StoredUpload, UploadLedger, UploadQuota } from "../../src/site/upload-quota.ts";

const T0 = milliseconds(1_000_000);
const after = (ms: number) => milliseconds(T0 + ms);

/** A directory whose size the test sets. */
function makeQuota(limit: number | undefined, stored = 0) {
  const disk = { stored, looks: 0, beforeAnswer: async () => {} };
  const quota = new UploadQuota(limit === undefined ? undefined : bytes(limit), async () => {
    disk.looks += 1;
    const found = disk.stored;
    await disk.beforeAnswer();
    return bytes(found);
  });
  return { disk, quota };
}

test("without a limit there is always room, and nobody looks", async () => {
  const { disk, quota } = makeQuota(undefined);
  assert.equal(await quota.reserve(Number.MAX_SAFE_INTEGER, T0), true);
  quota.settle(Number.MAX_SAFE_INTEGER, 1);
  assert.equal(disk.looks, 0);
});

test("what is stored when the server starts counts", async () => {
  const { quota } = makeQuota(100, 90);
  assert.equal(await quota.reserve(11, T0), false);
  assert.equal(await quota.reserve(10, T0), true);
});

test("exactly as much as there may be has room, a byte more has not", async () => {
  const { quota } = makeQuota(100);
  assert.equal(await quota.reserve(100, T0), true);
  assert.equal(await quota.reserve(1, T0), false);
  assert.equal(await quota.reserve(0, T0), true);
});

test("a quota of 0 has room for nothing", async () => {
  assert.equal(await makeQuota(0).quota.reserve(1, T0), false);
});

test("what failed gives back all, what was stored counts by its size", async () => {
  const { quota } = makeQuota(100);
  await quota.reserve(100, T0);
  quota.settle(100, 0);
  assert.equal(await quota.reserve(100, T0), true);
  quota.settle(100, 60);
  assert.equal(await quota.reserve(41, T0), false);
  assert.equal(await quota.reserve(40, T0), true);
});

test("a directory with room is looked at once, a full one every five seconds", async () => {
  const { disk, quota } = makeQuota(100, 50);
  for (let time = 0; time < 60_000; time += 1000) {
    assert.equal(await quota.reserve(10, after(time)), true);
    quota.settle(10, 0);
  }
  assert.equal(disk.looks, 1);
  for (let time = 60_000; time < 70_000; time += 1000) await quota.reserve(51, after(time));
  assert.equal(disk.looks, 3);
});

test("what others have removed makes room, after five seconds at most", async () => {
  const { disk, quota } = makeQuota(100, 95);
  assert.equal(await quota.reserve(10, T0), false);
  disk.stored = 0;
  assert.equal(await quota.reserve(10, after(4999)), false);
  assert.equal(await quota.reserve(10, after(5000)), true);
});

test("all who find no room wait for one look, and get no more than there is", async () => {
  const { disk, quota } = makeQuota(100);
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => quota.reserve(30, T0)));
  assert.equal(outcomes.filter((fits) => fits).length, 3);
  assert.equal(disk.looks, 1);
});

test("an upload that is stored during the look is not forgotten", async () => {
  const { disk, quota } = makeQuota(100, 90);
  await quota.reserve(10, T0);
  disk.stored = 0;
  disk.beforeAnswer = async () => quota.settle(10, 10);
  assert.equal(await quota.reserve(91, after(5000)), false, "10 were stored behind the look's back");
  assert.equal(await quota.reserve(90, after(5000)), true);
});

test("a look that fails fails the upload, and the next one looks again", async () => {
  const { disk, quota } = makeQuota(100);
  disk.beforeAnswer = async () => {
    throw new Error("cannot look");
  };
  await assert.rejects(quota.reserve(1, T0), /cannot look/);
  disk.beforeAnswer = async () => {};
  assert.equal(await quota.reserve(1, T0), true);
});

const NOW = milliseconds(0);
const HERE = absolutePath("/srv/uploads");
const upload = (size: number, directory = HERE): StoredUpload => ({ directory, size: bytes(size) });

/** Of 100 bytes, of which nothing is used; measured once. */
async function emptyQuota(): Promise<UploadQuota> {
  const quota = new UploadQuota(bytes(100), async () => bytes(0));
  await quota.measure(NOW);
  return quota;
}

test("UploadLedger: what another process stores takes room", async () => {
  const ledger = new UploadLedger();
  const quota = await emptyQuota();
  ledger.join(HERE, quota);
  ledger.heard(upload(90));
  assert.equal(await quota.reserve(11, NOW), false);
  assert.equal(await quota.reserve(10, NOW), true);
});

test("UploadLedger: what one site stores takes room of another with the same directory, and is told to the others", async () => {
  const told: StoredUpload[] = [];
  const ledger = new UploadLedger((each) => told.push(each));
  const [first, second, elsewhere] = [await emptyQuota(), await emptyQuota(), await emptyQuota()];
  ledger.join(HERE, first);
  ledger.join(HERE, second);
  ledger.join(absolutePath("/srv/other"), elsewhere);
  assert.equal(await first.reserve(90, NOW), true);
  first.settle(90, 90);
  ledger.stored(upload(90), first);
  assert.deepEqual(told, [upload(90)]);
  assert.equal(await first.reserve(10, NOW), true, "counted once");
  assert.equal(await second.reserve(11, NOW), false);
  assert.equal(await elsewhere.reserve(100, NOW), true);
});
