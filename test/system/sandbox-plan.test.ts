import assert from "node:assert/strict";
import { after, test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { attributesOf, type FreedRight, MAY_READ, MAY_STORE, MAY_STORE_BELOW } from "../../src/system/landlock.ts";
import type { PrivilegePlan } from "../../src/system/privilege-plan.ts";
import { planSandbox, type SandboxFacts, type SandboxPlan } from "../../src/system/sandbox-plan.ts";
import { makeTree } from "../support/file-tree.ts";
import { NO_CHANGE } from "../support/no-privileges.ts";
import { settingsFrom } from "../support/settings-from.ts";

const site = absolutePath("/srv/www/site");
const holder = absolutePath("/srv/www");
const uploads = absolutePath("/srv/www/site/uploads");
const jail = absolutePath("/srv/jail");
const www = { uid: 33, gid: 33, groups: [33] };
const asWww: PrivilegePlan = { chroot: undefined, account: www };

const FACTS: SandboxFacts = {
  calls: { kind: "native", version: 7 },
  isRoot: false,
  served: [site],
  holders: [holder],
  uploads: [uploads],
  uploadTrees: [],
  closed: [],
  unwritable: [],
};

const TERMINATOR = "[TLS terminator a]\npem = p\nfrontend = *,1\nbackend =";
const FOR_TCP = `${TERMINATOR} 127.0.0.1,80\n`;
const FOR_UNIX = `${TERMINATOR} unix:/run/app\n`;
const FOR_BOTH = `${FOR_TCP}[TLS terminator b]\npem = p\nfrontend = *,2\nbackend = unix:/run/app\n`;
const NO_SITE = `[main]\naddress = no\n${FOR_TCP}`;
const NO_SITE_WITH_LINKS = `[main]\naddress = no\nsymlinks = anywhere\n${FOR_TCP}`;
const WITH_TERMINATORS = [FOR_TCP, FOR_UNIX, FOR_BOTH, NO_SITE, NO_SITE_WITH_LINKS];
const HOST_WITH_LINKS = "[Virtual host a.test]\nsymlinks = anywhere\n";
const top = makeTree({ after });
const known = new Map(
  ["", "sandbox = no", "sandbox = yes", "symlinks = anywhere", HOST_WITH_LINKS, ...WITH_TERMINATORS].map((text) => [
    text,
    settingsFrom(top, text.startsWith("[") ? text : `[main]\n${text}\n`),
  ]),
);

function decide(text: string, privileges: PrivilegePlan, facts: Partial<SandboxFacts>) {
  const settings = known.get(text);
  assert.ok(settings !== undefined);
  return planSandbox(settings, privileges, { ...FACTS, ...facts });
}

function plan(text: string, privileges: PrivilegePlan, facts: Partial<SandboxFacts>): SandboxPlan {
  const decision = decide(text, privileges, facts);
  assert.ok(decision.kind === "plan", decision.kind === "refused" ? decision.reason : "");
  return decision.plan;
}

const missing = { kind: "missing", why: "the optional package koffi is not installed" } as const;
const without = { kind: "native", version: 0 } as const;
const version = (number: number) => ({ kind: "native", version: number }) as const;
const closed = [absolutePath("/home/alice/site")];
const unwritable = [absolutePath("/home/alice/up")];

const NOTHING_SERVED = { served: [], holders: [], uploads: [] };

const notices: [name: string, text: string, privileges: PrivilegePlan, facts: Partial<SandboxFacts>, want: string][] = [
  [
    "everything",
    "",
    NO_CHANGE,
    {},
    "sandbox: Landlock 7: reads what it serves and writes uploads; no new privileges; no capabilities",
  ],
  [
    "no uploads",
    "",
    NO_CHANGE,
    { uploads: [] },
    "sandbox: Landlock 7: reads what it serves; no new privileges; no capabilities",
  ],
  [
    "hosts with uploads",
    "",
    NO_CHANGE,
    { uploads: [], uploadTrees: [site] },
    "sandbox: Landlock 7: reads what it serves and writes below /srv/www/site; no new privileges; no capabilities",
  ],
  [
    "all links",
    "symlinks = anywhere",
    NO_CHANGE,
    { uploads: [] },
    "sandbox: Landlock 7: every file can be read (symlinks = anywhere); no new privileges; no capabilities",
  ],
  [
    "an old kernel",
    "",
    NO_CHANGE,
    { calls: version(2), uploads: [] },
    "sandbox: Landlock 2, too old to hold back truncating files, TCP connections, signals: reads what it serves; no new privileges; no capabilities",
  ],
  [
    "no Landlock",
    "",
    NO_CHANGE,
    { calls: without },
    "sandbox: no Landlock, which this kernel does not have or does not allow; no new privileges; no capabilities",
  ],
  ["no koffi", "", NO_CHANGE, { calls: missing }, "no sandbox: the optional package koffi is not installed"],
  ["not wanted", "sandbox = no", NO_CHANGE, {}, "no sandbox: sandbox = no"],
  ["not wanted, nor possible", "sandbox = no", NO_CHANGE, { calls: missing }, "no sandbox: sandbox = no"],
  [
    "a site and a terminator",
    FOR_BOTH,
    NO_CHANGE,
    { uploads: [] },
    "sandbox: Landlock 7: reads what it serves and connects to backends; no new privileges; no capabilities",
  ],
  [
    "terminators alone",
    NO_SITE,
    NO_CHANGE,
    NOTHING_SERVED,
    "sandbox: Landlock 7: reads nothing but the program and connects to backends; no new privileges; no capabilities",
  ],
  [
    "terminators alone: the links of a site that is not there are nobody's",
    NO_SITE_WITH_LINKS,
    NO_CHANGE,
    NOTHING_SERVED,
    "sandbox: Landlock 7: reads nothing but the program and connects to backends; no new privileges; no capabilities",
  ],
  [
    "a terminator without Landlock",
    FOR_TCP,
    NO_CHANGE,
    { calls: without },
    "sandbox: no Landlock, which this kernel does not have or does not allow; no new privileges; no capabilities",
  ],
  [
    "root needs a capability to read",
    "",
    NO_CHANGE,
    { isRoot: true, uploads: [], closed },
    "sandbox: Landlock 7: reads what it serves; no new privileges; no capabilities but CAP_DAC_READ_SEARCH, to read /home/alice/site",
  ],
];
for (const [name, text, privileges, facts, want] of notices) {
  test(`planSandbox: what is said: ${name}`, () => assert.equal(plan(text, privileges, facts).notice, want));
}

for (const [name, text, facts] of [
  ["without koffi", "", { calls: missing }],
  ["with sandbox = no", "sandbox = no", {}],
] as const) {
  test(`planSandbox: nothing is confined ${name}`, () =>
    assert.equal(plan(text, NO_CHANGE, facts).confinement, undefined));
}

const refusals: [name: string, privileges: PrivilegePlan, facts: Partial<SandboxFacts>, want: RegExp | undefined][] = [
  ["all is possible", NO_CHANGE, {}, undefined],
  ["the first version that holds back all writing", NO_CHANGE, { calls: version(3) }, undefined],
  [
    "no koffi",
    NO_CHANGE,
    { calls: missing },
    /^sandbox = yes is not possible: the optional package koffi is not installed$/,
  ],
  [
    "no Landlock",
    NO_CHANGE,
    { calls: without },
    /^sandbox = yes needs Landlock, which this kernel .*: use sandbox = auto$/,
  ],
  [
    "an old Landlock",
    NO_CHANGE,
    { calls: version(2) },
    /needs Landlock version 3 \(Linux 6.2\), and this kernel has version 2: use sandbox = auto$/,
  ],
  [
    "root reads what is closed",
    NO_CHANGE,
    { isRoot: true, closed },
    /only with a capability can root read \/home\/alice\/site: set user, or use sandbox = auto$/,
  ],
  ["root writes what is closed", NO_CHANGE, { isRoot: true, unwritable }, /can root write \/home\/alice\/up: set user/],
  ["root becomes another, who is asked later", asWww, { isRoot: true, closed, unwritable }, undefined],
];
for (const [name, privileges, facts, want] of refusals) {
  test(`planSandbox: sandbox = yes: ${name}`, () => {
    const decision = decide("sandbox = yes", privileges, facts);
    if (want === undefined) assert.equal(decision.kind, "plan");
    else assert.match(decision.kind === "refused" ? decision.reason : "a plan", want);
  });
}

const capabilities: [name: string, privileges: PrivilegePlan, facts: Partial<SandboxFacts>, want: readonly number[]][] =
  [
    ["an ordinary user", NO_CHANGE, { closed, unwritable }, []],
    ["root stays root", NO_CHANGE, { isRoot: true }, []],
    ["root who needs them", NO_CHANGE, { isRoot: true, closed, unwritable }, [2, 1]],
    ["root becomes another", asWww, { isRoot: true, closed, unwritable }, [2, 6, 7]],
    ["root becomes another in a chroot", { chroot: jail, account: www }, { isRoot: true }, [2, 6, 7, 18]],
  ];
for (const [name, privileges, facts, want] of capabilities) {
  test(`planSandbox: capabilities kept: ${name}`, () => {
    assert.deepEqual(plan("", privileges, facts).confinement?.keptCapabilities, want);
  });
}

const freedFor = new Map<string, FreedRight[]>([
  [FOR_TCP, ["connect-tcp"]],
  [FOR_UNIX, ["connect-unix"]],
  [FOR_BOTH, ["connect-tcp", "connect-unix"]],
  [NO_SITE, ["connect-tcp"]],
  [NO_SITE_WITH_LINKS, ["connect-tcp"]],
]);

const rules: [
  name: string,
  text: string,
  privileges: PrivilegePlan,
  facts: Partial<SandboxFacts>,
  want: readonly [string, number][],
][] = [
  [
    "what is served, what holds it, uploads",
    "",
    NO_CHANGE,
    {},
    [
      [site, MAY_READ],
      [holder, MAY_READ],
      [uploads, MAY_STORE],
    ],
  ],
  [
    "each once",
    "",
    NO_CHANGE,
    { served: [site, site, holder], uploads: [] },
    [
      [site, MAY_READ],
      [holder, MAY_READ],
    ],
  ],
  [
    "hosts with uploads",
    "",
    NO_CHANGE,
    { holders: [], uploads: [], uploadTrees: [site] },
    [
      [site, MAY_READ],
      [site, MAY_STORE_BELOW],
    ],
  ],
  [
    "all links",
    "symlinks = anywhere",
    NO_CHANGE,
    {},
    [
      ["/", MAY_READ],
      [uploads, MAY_STORE],
    ],
  ],
  ["terminators alone", NO_SITE, NO_CHANGE, NOTHING_SERVED, []],
  ["terminators alone, with the links of nobody", NO_SITE_WITH_LINKS, NO_CHANGE, NOTHING_SERVED, []],
  ["all links of one host", HOST_WITH_LINKS, NO_CHANGE, { uploads: [] }, [["/", MAY_READ]]],
  [
    "a chroot",
    "symlinks = anywhere",
    { chroot: jail, account: www },
    {},
    [
      [jail, MAY_READ],
      [uploads, MAY_STORE],
    ],
  ],
];
for (const [name, text, privileges, facts, want] of rules) {
  test(`planSandbox: rules: ${name}`, () => {
    const landlock = plan(text, privileges, facts).confinement?.landlock;
    assert.deepEqual(
      landlock?.rules.map(({ path, access }) => [path, access]),
      want,
    );
    assert.deepEqual(landlock?.attributes, attributesOf(7, freedFor.get(text)));
  });
}

for (const [text, freed] of freedFor) {
  test(`planSandbox: what connecting to backends needs is not held back, and nothing else: ${freed.join(" and ")}`, () => {
    const landlock = plan(text, NO_CHANGE, { calls: version(9) }).confinement?.landlock;
    assert.deepEqual(landlock?.attributes, attributesOf(9, freed));
  });
}

test("planSandbox: without Landlock the rest is done", () => {
  assert.deepEqual(plan("", NO_CHANGE, { calls: without }).confinement, { keptCapabilities: [], landlock: undefined });
});

test("planSandbox: a confinement travels to another process", () => {
  const { confinement } = plan("", NO_CHANGE, {});
  assert.deepEqual(structuredClone(confinement), confinement);
});
