import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes, unixMilliseconds } from "../../src/base/units.ts";
import { formatListingQuery, type ListingSort, parseListingQuery } from "../../src/http/listing-query.ts";
import { entryHref, formatInstant, makeEntry, sortEntries, totalsOf } from "../../src/tasks/listing.ts";

const file = (name: string, size = 0, modified = 0) => makeEntry(name, "file", bytes(size), unixMilliseconds(modified));
const folder = (name: string, modified = 0) => makeEntry(name, "directory", bytes(0), unixMilliseconds(modified));
const sort = (column: ListingSort["column"], order: ListingSort["order"]): ListingSort => ({ column, order });

const queries: [name: string, query: string | undefined, want: ListingSort][] = [
  ["no query", undefined, sort("name", "ascending")],
  ["an empty query", "", sort("name", "ascending")],
  ["by time, descending", "C=M&O=D", sort("modified", "descending")],
  ["by size, ascending", "C=S&O=A", sort("size", "ascending")],
  ["by name, descending", "C=N&O=D", sort("name", "descending")],
  ["Apache's semicolon", "C=S;O=D", sort("size", "descending")],
  ["the other way round", "O=D&C=M", sort("modified", "descending")],
  ["only a column", "C=S", sort("size", "ascending")],
  ["only an order", "O=D", sort("name", "descending")],
  ["beside other parameters", "x=1&C=M&y", sort("modified", "ascending")],
  ["an unknown column", "C=X&O=D", sort("name", "descending")],
  ["an unknown order", "C=S&O=up", sort("size", "ascending")],
  ["lower case is unknown", "c=s&o=d", sort("name", "ascending")],
  ["a longer word is unknown", "C=SS&O=DD", sort("name", "ascending")],
  ["the first of two counts", "C=S&C=M&O=A&O=D", sort("size", "ascending")],
  ["a name of Object's", "C=constructor&O=__proto__", sort("name", "ascending")],
];
for (const [name, query, want] of queries) {
  test(`parseListingQuery: ${name}`, () => assert.deepEqual(parseListingQuery(query), want));
}

test("parseListingQuery: reads what formatListingQuery writes", () => {
  for (const column of ["name", "modified", "size"] as const) {
    for (const order of ["ascending", "descending"] as const) {
      assert.deepEqual(parseListingQuery(formatListingQuery({ column, order }).slice(1)), { column, order });
    }
  }
});

const mixed = [file("b10", 5, 300), file("b2", 9, 100), folder("z", 50), file("A", 5, 200), folder("y", 70)];
const orders: [name: string, sort: ListingSort, want: string[]][] = [
  ["by name", sort("name", "ascending"), ["y", "z", "A", "b2", "b10"]],
  ["by name, descending, folders still first", sort("name", "descending"), ["z", "y", "b10", "b2", "A"]],
  ["by time", sort("modified", "ascending"), ["z", "y", "b2", "A", "b10"]],
  ["by time, descending", sort("modified", "descending"), ["y", "z", "b10", "A", "b2"]],
  ["by size, equal ones by name", sort("size", "ascending"), ["y", "z", "A", "b10", "b2"]],
  ["by size, descending, equal ones still by name", sort("size", "descending"), ["y", "z", "b2", "A", "b10"]],
];
for (const [name, order, want] of orders) {
  test(`sortEntries: ${name}`, () =>
    assert.deepEqual(
      sortEntries(mixed, order).map((entry) => entry.name),
      want,
    ));
}

const references: [name: string, text: string, want: string][] = [
  ["plain", "a.txt", "a.txt"],
  ["a scheme", "javascript:alert(1)", "javascript%3Aalert(1)"],
  ["a query", "?x", "%3Fx"],
  ["a fragment", "#x", "%23x"],
  ["an escape that is part of the name", "%41", "%2541"],
  ["a dot segment that is part of the name", "%2e%2e", "%252e%252e"],
  ["quotes", '"it\'s"', "%22it's%22"],
  ["a line end", "a\nb", "a%0Ab"],
  ["leading blanks", "  a", "%20%20a"],
  ["beyond ASCII", "é😀", "%C3%A9%F0%9F%98%80"],
];
for (const [name, text, want] of references) {
  test(`entryHref: ${name}`, () => assert.equal(entryHref({ name: text, kind: "file" }), want));
}

test("entryHref: a directory ends in a slash", () => {
  assert.equal(entryHref({ name: "a b", kind: "directory" }), "a%20b/");
});

test("entryHref: any name stays one segment below the directory, and decodes to itself", () => {
  const name = fc
    .string({ unit: "binary", minLength: 1 })
    .filter((text) => !/[/\0]/.test(text) && text !== "." && text !== "..");
  fc.assert(
    fc.property(name, (text) => {
      const url = new URL(entryHref({ name: text, kind: "file" }), "http://h.example/dir/?C=N#top");
      assert.equal(url.host, "h.example");
      assert.equal(url.search + url.hash, "");
      assert.ok(url.pathname.startsWith("/dir/"));
      assert.equal(decodeURIComponent(url.pathname.slice("/dir/".length)), text);
    }),
  );
});

const instants: [name: string, time: number, want: string | undefined][] = [
  ["the epoch", 0, "1970-01-01T00:00:00.000Z"],
  ["with milliseconds", 1710498600123, "2024-03-15T10:30:00.123Z"],
  ["before the epoch", -1, "1969-12-31T23:59:59.999Z"],
  ["the last moment of four digits", 253402300799999, "9999-12-31T23:59:59.999Z"],
  ["a year of five digits", 253402300800000, undefined],
  ["before the year 0", -62167219200001, undefined],
  ["beyond what a date can hold", 9e18, undefined],
];
for (const [name, time, want] of instants) {
  test(`formatInstant: ${name}`, () => assert.equal(formatInstant(unixMilliseconds(time)), want));
}

test("totalsOf: counts by kind and adds up the files", () => {
  assert.deepEqual(totalsOf(mixed), { directories: 2, files: 3, size: 19 });
});
