/**
 * A relay that makes a distance: bytes and ends pass it some milliseconds later, in both directions.
 *
 *     node scripts/soak/delaying-relay.js PORT MILLISECONDS       prints its own port
 */
import { connect, createServer } from "node:net";

const [port, delay] = process.argv.slice(2).map(Number);

const relay = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
  const far = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  join(near, far);
  join(far, near);
});
relay.listen(0, "127.0.0.1", () => console.log(relay.address().port));

function join(from, to) {
  from.on("data", (chunk) => later(() => to.write(chunk)));
  from.on("end", () => later(() => to.end()));
  from.on("error", () => later(() => to.resetAndDestroy()));
  from.on("close", () => later(() => to.destroySoon()));
}

function later(act) {
  setTimeout(act, delay);
}
