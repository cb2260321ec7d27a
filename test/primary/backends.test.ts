import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Endpoint } from "../../src/base/endpoint.ts";
import { StartupError } from "../../src/base/errors.ts";
import { isBackendName } from "../../src/config/listen-address.ts";
import { BackendWatch, findBackends, type LookUp } from "../../src/primary/backends.ts";
import type { BackendEndpoints } from "../../src/tunnel/backend.ts";
import { loadText, settingsOf } from "../config/fake-disk.ts";
import { MemoryEvents } from "../support/memory-events.ts";

/** One terminator for each backend, called a, b, c. */
function terminatorsFor(...backends: readonly string[]) {
  const sections = backends.map(
    (backend, index) => `[TLS terminator ${"abc"[index]}]\npem = p.pem\nfrontend = *,${index}\nbackend = ${backend}\n`,
  );
  return settingsOf(loadText(sections.join(""))).terminators;
}

const tcp = (host: string, port: number): Endpoint => ({ kind: "tcp", host, port });

/** A name server that knows these, and counts how often it was asked. */
class Names {
  readonly known = new Map<string, readonly string[]>();
  asked = 0;
  readonly lookUp: LookUp = async (name) => {
    this.asked += 1;
    return this.known.get(name) ?? Promise.reject(Object.assign(new Error("not found"), { code: "ENOTFOUND" }));
  };
}

function namesOf(entries: Readonly<Record<string, readonly string[]>>): Names {
  const names = new Names();
  for (const [name, addresses] of Object.entries(entries)) names.known.set(name, addresses);
  return names;
}

test("findBackends: a path is where it is, and a name may be at several addresses, in their order", async () => {
  const { lookUp } = namesOf({ "app.test": ["192.0.2.2", "2001:db8::1", "192.0.2.1"] });
  assert.deepEqual(
    await findBackends(terminatorsFor("unix:/run/app", "app.test,80"), lookUp),
    new Map([
      ["a", [{ kind: "unix", path: "/run/app" }]],
      ["b", [tcp("192.0.2.2", 80), tcp("2001:db8::1", 80), tcp("192.0.2.1", 80)]],
    ]),
  );
});

test("findBackends: addresses, and a name that every machine knows", async () => {
  const places = await findBackends(terminatorsFor("127.0.0.1,8000", "[::1]:8001", "localhost,8002"));
  assert.deepEqual(places.get("a"), [tcp("127.0.0.1", 8000)]);
  assert.deepEqual(places.get("b"), [tcp("::1", 8001)]);
  const local = places.get("c") ?? [];
  assert.ok(local.length > 0);
  for (const place of local) {
    assert.ok(place.kind === "tcp" && ["127.0.0.1", "::1"].includes(place.host) && place.port === 8002);
  }
});

test("findBackends: nothing to find", async () => assert.deepEqual(await findBackends(new Map()), new Map()));

test("findBackends: a name that is not known stops the start, and is told", async () => {
  const { lookUp } = namesOf({ "app.test": ["192.0.2.1"] });
  await assert.rejects(findBackends(terminatorsFor("app.test,80", "gone.test,81"), lookUp), (error) => {
    assert.ok(error instanceof StartupError);
    assert.equal(error.message, "backend gone.test,81: the host name cannot be resolved");
    return true;
  });
});

const hosts: [host: string, want: boolean][] = [
  ["app.test", true],
  ["localhost", true],
  ["4.example", true],
  ["127.0.0.1", false],
  ["::1", false],
  ["fe80::1%eth0", false],
];
for (const [host, want] of hosts) {
  test(`isBackendName: ${host}`, () => assert.equal(isBackendName(host), want));
}

// ---- a watch

interface Watched {
  readonly names: Names;
  readonly watch: BackendWatch;
  readonly events: MemoryEvents;
  readonly moved: BackendEndpoints[];
}

async function openWatch(names: Names, ...backends: readonly string[]): Promise<Watched> {
  const terminators = terminatorsFor(...backends);
  const places = await findBackends(terminators, names.lookUp);
  const events = new MemoryEvents();
  const moved: BackendEndpoints[] = [];
  const onMoved = (all: BackendEndpoints): void => void moved.push(all);
  const watch = new BackendWatch({ terminators, places, events, onMoved, lookUp: names.lookUp });
  return { names, watch, events, moved };
}

test("BackendWatch: a name that stays, in whatever order its addresses come", async () => {
  const { names, watch, events, moved } = await openWatch(
    namesOf({ "app.test": ["192.0.2.1", "192.0.2.2"] }),
    "app.test,80",
  );
  await watch.look();
  names.known.set("app.test", ["192.0.2.2", "192.0.2.1"]);
  await watch.look();
  assert.deepEqual([moved, events.take()], [[], []]);
  watch.close();
});

test("BackendWatch: a name that moves is told once, with all places", async () => {
  const { names, watch, events, moved } = await openWatch(
    namesOf({ "app.test": ["192.0.2.1"] }),
    "app.test,80",
    "unix:/run/x",
  );
  names.known.set("app.test", ["192.0.2.9"]);
  await watch.look();
  await watch.look();
  const unix = { kind: "unix", path: "/run/x" };
  assert.deepEqual(moved, [
    new Map<string, unknown>([
      ["a", [tcp("192.0.2.9", 80)]],
      ["b", [unix]],
    ]),
  ]);
  assert.deepEqual(events.take(), ["info: backend addresses have changed: a at 192.0.2.9,80, b at unix:/run/x"]);
  watch.close();
});

test("BackendWatch: a name that is no longer known keeps its addresses, which is told once each time", async () => {
  const { names, watch, events, moved } = await openWatch(namesOf({ "app.test": ["192.0.2.1"] }), "app.test,80");
  const warning = "warn: backend app.test,80: the host name cannot be resolved; keeping its last address";
  for (let times = 0; times < 2; times += 1) {
    names.known.delete("app.test");
    await watch.look();
    await watch.look();
    assert.deepEqual(events.take(), [warning]);
    names.known.set("app.test", ["192.0.2.1"]);
    await watch.look();
  }
  assert.deepEqual([moved, events.take()], [[], []]);
  watch.close();
});

test("BackendWatch: one that is no longer known does not hold up another that moves", async () => {
  const { names, watch, events, moved } = await openWatch(
    namesOf({ "one.test": ["192.0.2.1"], "two.test": ["192.0.2.2"] }),
    "one.test,80",
    "two.test,80",
  );
  names.known.delete("one.test");
  names.known.set("two.test", ["192.0.2.9"]);
  await watch.look();
  assert.deepEqual(moved, [
    new Map([
      ["a", [tcp("192.0.2.1", 80)]],
      ["b", [tcp("192.0.2.9", 80)]],
    ]),
  ]);
  assert.deepEqual(events.take(), [
    "info: backend addresses have changed: a at 192.0.2.1,80, b at 192.0.2.9,80",
    "warn: backend one.test,80: the host name cannot be resolved; keeping its last address",
  ]);
  watch.close();
});

test("BackendWatch: names are not asked for again while an answer is awaited", async () => {
  const { names, watch } = await openWatch(namesOf({ "app.test": ["192.0.2.1"] }), "app.test,80");
  const before = names.asked;
  await Promise.all([watch.look(), watch.look(), watch.look()]);
  assert.equal(names.asked, before + 1);
  watch.close();
});

test("BackendWatch: an answer that comes after the end is nobody's", async () => {
  const { names, watch, events, moved } = await openWatch(namesOf({ "app.test": ["192.0.2.1"] }), "app.test,80");
  names.known.set("app.test", ["192.0.2.9"]);
  const looking = watch.look();
  watch.close();
  await looking;
  await turn();
  assert.deepEqual([moved, events.take()], [[], []]);
});

const rhythms: [name: string, backend: string, looks: number][] = [
  ["a name is looked up every ten seconds", "app.test,80", 3],
  ["an address never", "192.0.2.1,80", 0],
  ["a path never", "unix:/run/x", 0],
];
for (const [name, backend, looks] of rhythms) {
  test(`BackendWatch: ${name}`, async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const { names, watch } = await openWatch(
      namesOf({ "app.test": ["192.0.2.1"], "192.0.2.1": ["192.0.2.1"] }),
      backend,
    );
    const before = names.asked;
    for (let seconds = 0; seconds < 30; seconds += 10) {
      t.mock.timers.tick(10_000);
      await turn();
    }
    watch.close();
    t.mock.timers.tick(60_000);
    assert.equal(names.asked - before, looks);
  });
}
