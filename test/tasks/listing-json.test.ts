import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, unixMilliseconds } from "../../src/base/units.ts";
import { type Listing, makeEntry, renderListingJson } from "../../src/tasks/listing.ts";

const at = unixMilliseconds(1710498600123);
const listing: Listing = {
  segments: ["docs", "a b"],
  sort: { column: "name", order: "ascending" },
  entries: [makeEntry("img", "directory", bytes(0), at), makeEntry("é.txt", "file", bytes(1204), at)],
  notShown: 3,
  readme: undefined,
};
const parse = (of: Listing): unknown => JSON.parse([...renderListingJson(of)].join(""));

test("renderListingJson: the keys that programs rely on", () => {
  assert.deepEqual(parse(listing), {
    path: "/docs/a b/",
    directories: 1,
    files: 1,
    size: 1204,
    notShown: 3,
    entries: [
      { name: "img", type: "directory", modified: "2024-03-15T10:30:00.123Z", href: "./img/" },
      { name: "é.txt", type: "file", size: 1204, modified: "2024-03-15T10:30:00.123Z", href: "./%C3%A9.txt" },
    ],
  });
});

test("renderListingJson: the root without entries", () => {
  const empty = { path: "/", directories: 0, files: 0, size: 0, notShown: 0, entries: [] };
  assert.deepEqual(parse({ ...listing, segments: [], entries: [], notShown: 0 }), empty);
});

test("renderListingJson: a time no calendar knows is null", () => {
  const entries = [makeEntry("x", "file", bytes(0), unixMilliseconds(9e18))];
  const { entries: shown } = parse({ ...listing, entries }) as { entries: unknown[] };
  assert.deepEqual(shown, [{ name: "x", type: "file", size: 0, modified: null, href: "./x" }]);
});

test("renderListingJson: many entries come in several pieces and stay one document", () => {
  const entries = Array.from({ length: 1201 }, (_, index) => makeEntry(`f${index}`, "file", bytes(1), at));
  const many = { ...listing, entries };
  assert.ok([...renderListingJson(many)].length > 3);
  const { files, entries: shown } = parse(many) as { files: number; entries: { name: string }[] };
  assert.equal(files, 1201);
  assert.deepEqual(
    shown.map((entry) => entry.name),
    entries.map((entry) => entry.name),
  );
});
