import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTlsStatus, sumTls } from "../../src/tls/tls-status.ts";

const NONE = { completed: {}, resumed: 0, failed: {}, underWay: 0 };

test("sumTls: nothing where no process speaks TLS", () => {
  assert.equal(sumTls([undefined, undefined]), undefined);
});

test("sumTls: names that only one process has count too", () => {
  const one = { completed: { "TLSv1.3": 10 }, resumed: 4, failed: { "no TLS": 1 }, underWay: 1 };
  const other = { completed: { "TLSv1.3": 2, "TLSv1.2": 5 }, resumed: 1, failed: {}, underWay: 2 };
  assert.deepEqual(sumTls([one, undefined, other]), {
    completed: { "TLSv1.3": 12, "TLSv1.2": 5 },
    resumed: 5,
    failed: { "no TLS": 1 },
    underWay: 3,
  });
});

test("formatTlsStatus: none yet", () => {
  assert.equal(formatTlsStatus(NONE), "TLS handshakes: 0, 0 of them resumed, 0 under way, 0 failed");
});

test("formatTlsStatus: the most frequent first", () => {
  const counts = { ...NONE, completed: { "TLSv1.2": 5, "TLSv1.3": 12 }, resumed: 3, failed: { "no TLS": 2 } };
  assert.equal(
    formatTlsStatus(counts),
    "TLS handshakes: 17 (TLSv1.3 12, TLSv1.2 5), 3 of them resumed, 0 under way, 2 failed (no TLS 2)",
  );
});
