/** The order of a directory index, and the query that asks for it. */
export interface ListingSort {
  readonly column: "name" | "modified" | "size";
  readonly order: "ascending" | "descending";
}

const COLUMNS: ReadonlyMap<string, ListingSort["column"]> = new Map([
  ["N", "name"],
  ["M", "modified"],
  ["S", "size"],
]);

/**
 * The order of a query in Apache's form: `C=N|M|S` (name, modified, size) and `O=A|D` (ascending, descending),
 * separated by `&` or `;`. The first of each counts; anything else means by name, ascending.
 */
export function parseListingQuery(query: string | undefined): ListingSort {
  const parts = (query ?? "").split(/[&;]/);
  const column = parts.find((part) => part.startsWith("C="))?.slice(2) ?? "N";
  const order = parts.find((part) => part.startsWith("O="));
  return { column: COLUMNS.get(column) ?? "name", order: order === "O=D" ? "descending" : "ascending" };
}

/** The reverse of `parseListingQuery`, with the `?`. */
export function formatListingQuery(sort: ListingSort): string {
  const column = { name: "N", modified: "M", size: "S" }[sort.column];
  return `?C=${column}&O=${sort.order === "ascending" ? "A" : "D"}`;
}
