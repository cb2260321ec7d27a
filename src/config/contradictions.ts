/**
 * Settings that are well written one by one and cannot hold together.
 */
import { didYouMean, type Fault } from "./fault.ts";
import { type Entry, entryFault, type Layer } from "./layer.ts";
import { formatListenAddress, type ListenAddress } from "./listen-address.ts";
import { formatSize } from "./option-kinds.ts";
import type { Settings } from "./settings.ts";

interface Contradiction {
  /** The options that disagree. The fault is laid at the first of them that somebody has set. */
  readonly keys: readonly string[];
  readonly problem: string;
}

/** @param unreadable  keys whose values are faults already, so that nothing can be said of what they contradict */
export function findContradictions(
  settings: Settings,
  layer: Layer,
  unreadable: ReadonlySet<string>,
): readonly Fault[] {
  return [checkDefaultHost(settings), checkCache(settings), checkAddresses(settings.server.address)].flatMap(
    (found) => {
      if (found === undefined || found.keys.some((key) => unreadable.has(key))) return [];
      const entry = found.keys.map((key) => layer.get(key)).find((each): each is Entry => each !== undefined);
      return entry === undefined ? [] : [entryFault(entry, found.problem)];
    },
  );
}

/** With `virthost` any folder may be a host; without it only the sections are, and the default must be one of them. */
function checkDefaultHost({ server, virtualHosts }: Settings): Contradiction | undefined {
  const { defaultHost, virthost } = server;
  if (defaultHost === undefined || virthost || virtualHosts.has(defaultHost)) return undefined;
  const keys = ["default-host", "virthost"];
  if (virtualHosts.size === 0) {
    return { keys, problem: "there are no virtual hosts: expected virthost = yes, or a section [Virtual host NAME]" };
  }
  const suggestion = didYouMean(defaultHost, virtualHosts.keys());
  return {
    keys,
    problem: `expected the name of one of the sections [Virtual host NAME], or virthost = yes${suggestion}`,
  };
}

function checkCache({ server }: Settings): Contradiction | undefined {
  const { cacheFile, cacheSize } = server;
  if (cacheSize === 0 || cacheFile <= cacheSize) return undefined;
  const sizes = `cache-file (${formatSize(cacheFile)}) is larger than cache-size (${formatSize(cacheSize)})`;
  return { keys: ["cache-file", "cache-size"], problem: `${sizes}: expected it to be smaller, or cache-size = 0` };
}

function checkAddresses(addresses: readonly ListenAddress[]): Contradiction | undefined {
  const keys = ["address"];
  const texts = addresses.map(formatListenAddress);
  const repeated = texts.find((text, index) => texts.indexOf(text) !== index);
  if (repeated !== undefined) return { keys, problem: `${repeated} is there twice: expected each address once` };
  const onTcp = addresses.filter((address) => address.kind !== "unix");
  const hasEvery = onTcp.some((address) => address.kind === "every");
  if (!hasEvery || onTcp.length === 1) return undefined;
  return { keys, problem: "* is every address: expected no other beside it but unix:/path" };
}
