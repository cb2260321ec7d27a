import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { test } from "node:test";
import { MAY_READ, MAY_RUN } from "../../src/system/landlock.ts";
import { environmentPaths, findRuntimeRules, packagePaths, parseMappedFiles } from "../../src/system/runtime-paths.ts";

const MAPS = `55d0c0a00000-55d0c0b00000 r--p 00000000 fe:00 1234                       /usr/bin/node
55d0c0b00000-55d0c0c00000 r-xp 00100000 fe:00 1234                       /usr/bin/node
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
7f0000001000-7f0000002000 r--p 00000000 fe:00 77                         /usr/share/a file (deleted)
7f0000002000-7f0000003000 r-xp 00000000 fe:00 78                         /usr/lib/libold.so.1 (deleted)
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
7ffd00030000-7ffd00032000 r-xp 00000000 00:00 0                          [vdso]
`;

test("parseMappedFiles: each file once, by its name, and code where any of it is", () => {
  assert.deepEqual(parseMappedFiles(MAPS), [
    { path: "/usr/bin/node", isCode: true },
    { path: "/usr/share/a file", isCode: false },
    { path: "/usr/lib/libold.so.1", isCode: true },
  ]);
  assert.deepEqual(parseMappedFiles(""), []);
  assert.deepEqual(parseMappedFiles("what is this /a/path"), []);
});

const packages: [name: string, file: string, want: readonly string[]][] = [
  [
    "a checkout",
    "/src/comanche/dist/src/process/x.js",
    ["/src/comanche/dist", "/src/comanche/package.json", "/src/comanche/node_modules"],
  ],
  [
    "installed beside what it needs",
    "/app/node_modules/comanche/dist/src/process/x.js",
    [
      "/app/node_modules/comanche/dist",
      "/app/node_modules/comanche/package.json",
      "/app/node_modules/comanche/node_modules",
      "/app/node_modules",
    ],
  ],
];
for (const [name, file, want] of packages) {
  test(`packagePaths: ${name}`, () => assert.deepEqual(packagePaths(file), want));
}

const environments: [name: string, environment: Record<string, string>, want: readonly string[]][] = [
  ["nothing", {}, []],
  ["certificates", { NODE_EXTRA_CA_CERTS: "/etc/ca.pem" }, ["/etc/ca.pem"]],
  ["a relative path", { OPENSSL_CONF: "my.cnf" }, ["/work/my.cnf"]],
  ["an empty variable", { SSL_CERT_FILE: "" }, []],
  ["a module", { NODE_OPTIONS: "--import=/opt/agent/start.mjs" }, ["/opt/agent"]],
  ["modules among other options", { NODE_OPTIONS: '--no-warnings -r ./a.js --require "/b c/d.js"' }, ["/work", "/b c"]],
  ["a module by URL", { NODE_OPTIONS: "--import file:///opt/agent/start.mjs" }, ["/opt/agent"]],
  ["a package", { NODE_OPTIONS: "--import agent/register" }, []],
  ["another option", { NODE_OPTIONS: "--max-old-space-size=100" }, []],
];
for (const [name, environment, want] of environments) {
  test(`environmentPaths: ${name}`, () => assert.deepEqual(environmentPaths(environment, "/work"), want));
}

test("findRuntimeRules: Node may be executed, and this package read", {
  skip: process.platform !== "linux" && "not Linux",
}, () => {
  const rules = new Map(findRuntimeRules({}).map(({ path, access }) => [path as string, access]));
  assert.equal(rules.get(realpathSync(process.execPath)), MAY_RUN);
  const program = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
  assert.equal(rules.get(program), MAY_READ);
});
