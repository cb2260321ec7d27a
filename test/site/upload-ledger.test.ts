import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { type StoredUpload, UploadLedger } from "../../src/site/upload-ledger.ts";
import { UploadQuota } from "../../src/site/upload-quota.ts";

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
