/**
 * A backend that listens and never accepts: once its queue is full, nobody's connection is made or refused any more.
 *
 * Its standard output has one line with its port.
 */
import { type AddressInfo, createServer } from "node:net";

const SHORTEST_QUEUE = 1;

const server = createServer().listen({ port: 0, host: "127.0.0.1", backlog: SHORTEST_QUEUE }, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
  // Node would accept; this keeps it from coming round to that, until it is killed.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
