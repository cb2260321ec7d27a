/**
 * What can be measured, by the names that rows use.
 *
 * `servers` is `kept` where all contenders of a row run from its first round to its last (`prepare` checks and completes
 * the load once, `measure` runs a round), or `fresh` where each round starts its own. `columns` are the figures of the table,
 * the first one the most important; `ratios` those that are compared with the baseline; `turnSeconds` about how long a turn
 * takes; `warmSeconds` the length of the turn before the first, where a second does not do.
 */
import { downloads } from "./measurements/downloads.js";
import { handshakes } from "./measurements/handshakes.js";
import { idleConnections } from "./measurements/idle-connections.js";
import { memoryAtRest } from "./measurements/memory-at-rest.js";
import { requests } from "./measurements/requests.js";
import { startTime } from "./measurements/start-time.js";

export const MEASUREMENTS = { requests, downloads, handshakes, idleConnections, memoryAtRest, startTime };
