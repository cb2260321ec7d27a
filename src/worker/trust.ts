/**
 * Who is believed when it says for whom it comes.
 */
import { isInRanges } from "../base/ip-range.ts";
import type { NamedRange } from "../config/option-kinds.ts";

export function isTrustedIn(proxies: readonly NamedRange[]): (address: string) => boolean {
  const ranges = proxies.map(({ range }) => range);
  return (address) => isInRanges(address, ranges);
}
