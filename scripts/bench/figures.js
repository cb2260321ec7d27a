/**
 * The figures of a result: their headings, units, and whether more or less of them is better.
 */
const thousands = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const decimals = (digits) => (value) => value.toFixed(digits);
const percent = (value) => `${Math.round(value * 100)} %`;

export const FIGURES = {
  rate: { heading: "requests/s", better: "more", format: thousands.format },
  capacity: { heading: "capacity", better: "more", format: thousands.format },
  handshakes: { heading: "handshakes/s", better: "more", format: thousands.format },
  handshakeCapacity: { heading: "handshakes per CPU-s", better: "more", format: thousands.format },
  busy: { heading: "server", better: "less", format: percent },
  clientBusy: { heading: "client", better: "less", format: percent },
  others: { heading: "others", better: "less", format: percent },
  p50: { heading: "p50 ms", better: "less", format: decimals(2) },
  p99: { heading: "p99 ms", better: "less", format: decimals(2) },
  throughput: { heading: "GB/s", better: "more", format: decimals(2) },
  secondsPerGigabyte: { heading: "CPU-s per GB", better: "less", format: decimals(2) },
  connectionKib: { heading: "KiB each", better: "less", format: decimals(2) },
  mib: { heading: "MiB", better: "less", format: decimals(1) },
  milliseconds: { heading: "ms", better: "less", format: decimals(0) },
  residentMib: { heading: "MiB (RSS)", better: "less", format: decimals(1) },
};

/** For the reader of a table, below it. */
export const MEANINGS = {
  capacity:
    "capacity: requests for each second of processor time the server used: the fair figure where the client is the limit",
  handshakeCapacity: "CPU-s: seconds of processor time the server used; of a terminator its own, not its backend's",
  busy: "server: share of its cores that the server used; client: share of the client's cores that were busy",
  ratio: "× nginx, × hitch: of the same round; median (least to most)",
};
