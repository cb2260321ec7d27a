import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { unixSeconds } from "../../src/base/units.ts";
import { findLocalZone, type ZoneVariables } from "../../src/observe/local-zone.ts";

const SUMMER = unixSeconds(Date.UTC(2024, 6, 1) / 1000);
const HOUR = 3600;

/** Version 1 of the format: one type and no times. */
function zoneFile(hours: number): Uint8Array {
  const file = Buffer.alloc(44 + 6 + 4);
  file.write("TZif");
  file.writeUInt32BE(1, 36);
  file.writeUInt32BE(4, 40);
  file.writeInt32BE(hours * HOUR, 44);
  return file;
}

const FILES: Readonly<Record<string, Uint8Array>> = {
  "/etc/localtime": zoneFile(1),
  "/usr/share/zoneinfo/Europe/Berlin": zoneFile(2),
  "/zones/Europe/Berlin": zoneFile(4),
  "/srv/zone": zoneFile(5),
  "/etc/hosts": Buffer.from("127.0.0.1 localhost\n"),
};

const places: [name: string, variables: ZoneVariables, hours: number, warning?: RegExp][] = [
  ["no TZ: the file of the machine, a link or not", {}, 1],
  ["an empty TZ: UTC", { TZ: "" }, 0],
  ["a name", { TZ: "Europe/Berlin" }, 2],
  ["a name with a colon", { TZ: ":Europe/Berlin" }, 2],
  ["a name below TZDIR", { TZ: "Europe/Berlin", TZDIR: "/zones" }, 4],
  ["a file", { TZ: "/srv/zone" }, 5],
  ["a file with a colon", { TZ: ":/etc/localtime" }, 1],
  ["a rule", { TZ: "CET-1CEST,M3.5.0,M10.5.0/3" }, 2],
  ["a rule without summer time", { TZ: "<+03>-3" }, 3],
  [
    "a name that no one knows",
    { TZ: "Europe/Berlni" },
    0,
    /^TZ = Europe\/Berlni is not a time zone .*: times in logs are in UTC$/,
  ],
  ["a file that is not there", { TZ: "/srv/none" }, 0, /^TZ = \/srv\/none is not/],
  ["a file of another kind", { TZ: "/etc/hosts" }, 0, /^TZ = \/etc\/hosts is not/],
  ["a text that would drive a terminal", { TZ: "\x1b[2J" }, 0, /^TZ = \\x1b\[2J is not/],
];
for (const [name, variables, hours, warning] of places) {
  test(`findLocalZone: ${name}`, () => {
    const zone = findLocalZone(variables, (path) => FILES[path]);
    assert.equal(zone.offsetAt(SUMMER), hours * HOUR);
    if (warning === undefined) assert.equal(zone.warning, undefined);
    else assert.match(zone.warning ?? "", warning);
  });
}

test("findLocalZone: no file at all is UTC, a broken one is UTC with a warning", () => {
  assert.deepEqual(
    [findLocalZone({}, () => undefined)].map(({ offsetAt, warning }) => [offsetAt(SUMMER), warning]),
    [[0, undefined]],
  );
  assert.match(findLocalZone({}, () => Buffer.from("x")).warning ?? "", /^\/etc\/localtime is not a time zone file: /);
});

test("localOffset: in a process with a rule, and one with a name whose file is not installed", () => {
  const script = `import(process.argv[1]).then(({ localOffset, localZoneWarning }) =>
    console.log(localOffset(Date.UTC(2024, 6, 1)), localZoneWarning() ?? "fine"))`;
  const module = new URL("../../src/observe/local-zone.js", import.meta.url).href;
  const ask = (variables: Record<string, string>): string =>
    execFileSync(process.execPath, ["-e", script, module], { env: { ...process.env, ...variables } })
      .toString()
      .trim();
  assert.equal(ask({ TZ: "CET-1CEST,M3.5.0,M10.5.0/3" }), "120 fine");
  assert.equal(ask({ TZ: "Asia/Tokyo", TZDIR: "/nowhere" }), "540 fine");
});
