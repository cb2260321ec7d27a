import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { absolutePath } from "../../src/base/absolute-path.ts";
import type { Endpoint } from "../../src/base/endpoint.ts";
import { milliseconds } from "../../src/base/units.ts";
import { formatFault } from "../../src/config/fault.ts";
import type { OptionKind } from "../../src/config/option-kinds.ts";
import { parseTerminatorArgv } from "../../src/config/terminator-argv.ts";
import type { TerminatorProcessSettings } from "../../src/config/terminator-options.ts";
import { backAddress, type FrontAddress, frontAddress, STUD_OPTIONS } from "../../src/config/terminator-options.ts";
import type { TerminatorSettings } from "../../src/config/terminator-settings.ts";

const folder = absolutePath("/etc/keys");
const parse = (...argv: string[]) => parseTerminatorArgv(argv, folder);

function faultsOf(...argv: string[]): readonly string[] {
  const parsed = parse(...argv);
  return parsed.kind === "faults" ? parsed.faults.map(formatFault) : [];
}

type Read = TerminatorSettings & TerminatorProcessSettings;

function settingsOf(...argv: string[]): Read {
  const parsed = parse(...argv);
  assert.ok(parsed.kind === "settings", faultsOf(...argv).join("\n"));
  return { ...parsed.terminator, ...parsed.process };
}

test("parseTerminatorArgv: a PEM file alone: stud's defaults", () => {
  assert.deepEqual(parse("a.pem"), {
    kind: "settings",
    terminator: {
      frontend: { address: { kind: "every" }, port: 8443 },
      backend: { kind: "tcp", host: "127.0.0.1", port: 8000 },
      client: false,
      backlog: 100,
      maxConnections: 10_000,
      tlsDir: undefined,
      tlsSniStrict: false,
      tlsMinVersion: "1.2",
      ciphers: undefined,
      tlsSuites: undefined,
      tlsCurves: undefined,
      alpn: [],
      tlsTicketKeys: [],
      tlsClientCa: undefined,
      tlsClientVerify: "require",
      tlsHandshakes: 1000,
      backendCa: undefined,
      keepalive: 3_600_000,
      tlsHandshakeTimeout: 10_000,
      connectTimeout: 10_000,
      idleTimeout: 3_600_000,
      trustedProxies: [],
      announcement: "nothing",
      pemFiles: ["/etc/keys/a.pem"],
    },
    process: {
      workers: 1,
      daemon: false,
      pidfile: undefined,
      grace: 30_000,
      test: false,
      chroot: undefined,
      user: undefined,
      group: undefined,
      quiet: false,
      syslog: false,
      syslogFacility: "daemon",
    },
    notices: [],
  });
});

const port443: FrontAddress = { address: { kind: "every" }, port: 443 };
const pem: Partial<Read> = { pemFiles: [absolutePath("/etc/keys/a.pem")] };
const given: [name: string, argv: string[], want: Partial<Read>][] = [
  ["a letter and the next word", ["-f", "*,443", "a.pem"], { ...pem, frontend: port443 }],
  ["a letter and its value at once", ["-f*,443", "a.pem"], { ...pem, frontend: port443 }],
  ["a letter and an equals sign", ["-f=*,443", "a.pem"], { ...pem, frontend: port443 }],
  ["a name and the next word", ["--frontend", "*,443", "a.pem"], { ...pem, frontend: port443 }],
  ["a name and an equals sign", ["--frontend=*,443", "a.pem"], { ...pem, frontend: port443 }],
  ["flags behind the file", ["a.pem", "-n", "4", "-B512"], { ...pem, workers: 4, backlog: 512 }],
  ["switches together", ["-qst", "a.pem"], { ...pem, quiet: true, syslog: true, test: true }],
  ["switches and a value together", ["-qsn4", "a.pem"], { ...pem, quiet: true, syslog: true, workers: 4 }],
  ["a switch with its value", ["--quiet=no", "a.pem"], { ...pem, quiet: false }],
  ["several files, in their order", ["b.pem", "-q", "/a.pem"], { pemFiles: ["/etc/keys/b.pem", "/a.pem"] as never }],
  [
    "files that look like flags",
    ["--", "-q", "--"],
    { quiet: false, pemFiles: ["/etc/keys/-q", "/etc/keys/--"] as never },
  ],
  ["a Unix socket", ["-b", "unix:/run/x", "a.pem"], { backend: { kind: "unix", path: absolutePath("/run/x") } }],
  ["stud's seconds", ["-k", "60", "a.pem"], { keepalive: milliseconds(60_000) }],
  ["a time with its unit", ["-k2h", "a.pem"], { keepalive: milliseconds(7_200_000) }],
  ["no idle time-out", ["--idle-timeout=no", "a.pem"], { idleTimeout: undefined }],
  ["ciphers", ["-c", "ECDHE+AESGCM:!aNULL", "a.pem"], { ciphers: "ECDHE+AESGCM:!aNULL" }],
  [
    "rights",
    ["-r", "/jail", "-u", "nobody", "-g", "65534", "a.pem"],
    { chroot: absolutePath("/jail"), user: "nobody", group: "65534" },
  ],
  ["application protocols", ["--alpn", "h2,http/1.1", "a.pem"], { alpn: ["h2", "http/1.1"] }],
  ["a folder of files instead of one", ["--tls-dir=d"], { tlsDir: absolutePath("/etc/keys/d"), pemFiles: [] }],
  ["who verifies the backend", ["--client", "--backend-ca=ca"], { backendCa: absolutePath("/etc/keys/ca") }],
  ["a chroot that is none", ["-r", "/", "a.pem"], { chroot: undefined }],
  ["a daemon prints nothing and writes to syslog", ["--daemon", "a.pem"], { daemon: true, quiet: true, syslog: true }],
  ["syslog", ["--syslog-facility", "local0", "-s", "a.pem"], { syslogFacility: "local0", syslog: true }],
  ["a PID file", ["--pidfile=x.pid", "a.pem"], { pidfile: absolutePath("/etc/keys/x.pid") }],
  ["shared ticket keys", ["--tls-ticket-keys", "k", "a.pem"], { tlsTicketKeys: [absolutePath("/etc/keys/k")] }],
  ["a client needs no file", ["--client"], { client: true, pemFiles: [] }],
  ["a client may have one", ["--client", "a.pem"], { ...pem, client: true }],
  ["--write-ip", ["--write-ip", "a.pem"], { announcement: "ip" }],
  ["--write-proxy", ["--write-proxy", "a.pem"], { announcement: "proxy-v1" }],
  ["--write-proxy-v2", ["--write-proxy-v2", "a.pem"], { announcement: "proxy-v2" }],
  ["--proxy-proxy", ["--proxy-proxy", "a.pem"], { announcement: "passed-on" }],
  ["one switched off, another on", ["--write-ip=no", "--write-proxy", "a.pem"], { announcement: "proxy-v1" }],
];
for (const [name, argv, want] of given) {
  test(`parseTerminatorArgv: ${name}`, () =>
    assert.deepEqual({ ...settingsOf(...argv), ...want }, settingsOf(...argv)));
}

const unknown = "unknown option: comanche tls --help lists them all";
const front = "expected HOST,PORT or [HOST]:PORT, such as *,8443 or [::1]:8443";
const back = "expected HOST,PORT, [HOST]:PORT or unix:/path, such as 127.0.0.1,8000; * is no address to connect to";
const announced = (first: string, second: string) =>
  `--${first}=yes: ${first} and ${second} exclude each other: expected only one of them`;
const faultCases: [name: string, argv: string[], want: string[]][] = [
  [
    "nothing at all",
    [],
    ["comanche tls: expected a PEM file with certificates and key, such as comanche tls server.pem"],
  ],
  ["an unknown name with a near one", ["--frontent=x", "a"], ["--frontent: unknown option (did you mean --frontend?)"]],
  ["an unknown name like no other", ["--frobnicate", "a"], [`--frobnicate: ${unknown}`]],
  [
    "a name that every object has",
    ["--constructor", "--__proto__=x", "a"],
    [`--constructor: ${unknown}`, `--__proto__: ${unknown}`],
  ],
  ["an unknown letter", ["-z", "a"], [`-z: ${unknown}`]],
  ["an unknown letter among others", ["-qz9", "a"], [`-z: ${unknown}`]],
  ["escape sequences", ["-\x1b[2J", "--\x1b[2J", "a"], [`-\\x1b: ${unknown}`, `--\\x1b[2J: ${unknown}`]],
  ["no value at the end", ["a", "-f"], ["--frontend: expected a value: --frontend HOST,PORT"]],
  ["no value before another flag", ["-n", "-q", "a"], ["--workers: expected a value: --workers N"]],
  ["a flag twice", ["-n1", "--workers=2", "a"], ["--workers: given 2 times: expected it once"]],
  ["a file without a name", [""], ['"": expected the path of a PEM file']],
  ["the standard input as a file", ["-"], ["-: expected the path of a PEM file"]],
  ["no workers", ["-n0", "a"], ["--workers=0: expected a whole number from 1 to 256"]],
  ["a negative number", ["-n", "-1", "a"], ["--workers=-1: expected a whole number from 1 to 256"]],
  [
    "a number with something behind it",
    ["-B", "100x", "a"],
    ["--backlog=100x: expected a whole number from 1 to 65535"],
  ],
  [
    "a keep-alive that Linux does not take",
    ["-k", "32768", "a"],
    ["--keepalive=32768: expected a time from 1s to 32767s, such as 500ms, 3s or 5m"],
  ],
  ["a port without a host", ["-f", "8443", "a"], [`--frontend=8443: ${front}`]],
  ["a backend that is every address", ["-b", "*,80", "a"], [`--backend=*,80: ${back}`]],
  ["a switch that is neither on nor off", ["--quiet=maybe", "a"], ["--quiet=maybe: expected yes or no"]],
  [
    "ciphers with blanks",
    ["-c", "AES GCM", "a"],
    ["--ciphers=AES GCM: expected a list as openssl ciphers takes it, such as ECDHE+AESGCM:!aNULL, or nothing"],
  ],
  ["two announcements", ["--write-ip", "--proxy-proxy", "a"], [announced("write-ip", "proxy-proxy")]],
  ["two PROXY headers", ["--write-proxy", "--write-proxy-v2", "a"], [announced("write-proxy", "write-proxy-v2")]],
  [
    "a chroot without a user",
    ["-r/x", "a"],
    ["--chroot=/x: expected user to name an unprivileged account: root can leave a chroot"],
  ],
  [
    "a chroot of root",
    ["-r/x", "-u0", "a"],
    ["--chroot=/x: expected user to name an unprivileged account: root can leave a chroot"],
  ],
  [
    "a chroot of a user who cannot be read",
    ["-r/x", "-u", "a b", "a"],
    ["--user=a b: expected the name or the number of an account, or nothing"],
  ],
  [
    "all at once",
    ["--ssl", "-n0", "-z", "--write-ip", "--write-proxy", "-f"],
    [
      `-z: ${unknown}`,
      "--frontend: expected a value: --frontend HOST,PORT",
      announced("write-ip", "write-proxy"),
      "--workers=0: expected a whole number from 1 to 256",
      "--ssl: SSL 3.0 is insecure (RFC 7568) and not supported: leave it out to use TLS 1.2 and 1.3",
      "comanche tls: expected a PEM file with certificates and key, such as comanche tls server.pem",
    ],
  ],
];
for (const [name, argv, want] of faultCases) {
  test(`parseTerminatorArgv: ${name}`, () => assert.deepEqual(faultsOf(...argv), want));
}

for (const { keys, short, placeholder, fate, sentence } of STUD_OPTIONS) {
  const spellings = [...keys.map((key) => `--${key}`), ...(short === undefined ? [] : [`-${short}`])];
  for (const spelling of spellings) {
    test(`parseTerminatorArgv: stud's ${spelling} is ${fate}, and it says why`, () => {
      const argv = [spelling, ...(placeholder === undefined ? [] : ["1"]), "a.pem"];
      const parsed = parse(...argv, ...argv.slice(0, -1));
      const told = `--${keys[0]}: ${sentence}`;
      if (fate === "refused") assert.deepEqual(faultsOf(...argv), [told]);
      else assert.deepEqual(parsed.kind === "settings" && parsed.notices, [told]);
    });
  }
}

for (const argv of [["--help"], ["-h"], ["-qh", "a"], ["--nonsense", "-n0", "--help"]]) {
  test(`parseTerminatorArgv: ${argv.join(" ")} prints the help`, () => {
    const parsed = parse(...argv);
    assert.ok(parsed.kind === "help");
    const flags = "fbnBcergukqstCUPMOhV".split("").map((letter) => `-${letter}, --`);
    const names = [
      "client",
      "daemon",
      "pidfile",
      "tls",
      "ssl",
      "write-ip",
      "write-proxy",
      "write-proxy-v2",
      "proxy-proxy",
    ];
    for (const flag of [...flags, ...names.map((name) => `--${name}`)]) assert.ok(parsed.text.includes(flag), flag);
    for (const text of ["[*,8443]", "[127.0.0.1,8000]", "[100]", "[1h]"]) assert.ok(parsed.text.includes(text), text);
  });
}

test("parseTerminatorArgv: no letter and no name stands for two options", () => {
  const parsed = parse("--help");
  assert.ok(parsed.kind === "help");
  const flags = [...parsed.text.matchAll(/^ {2}(?:-(\w), | {4})--([\w-]+)/gm)];
  const words = flags.flatMap(([, letter, name]) => (letter === undefined ? [name] : [letter, name]));
  assert.equal(new Set(words).size, words.length);
});

test("parseTerminatorArgv: the help fits on a terminal", () => {
  const parsed = parse("--help");
  assert.deepEqual(parsed.kind === "help" && parsed.text.split("\n").filter((line) => line.length > 80), []);
});

test("parseTerminatorArgv: the version is asked for", () => {
  assert.deepEqual(parse("-V"), { kind: "version" });
  assert.deepEqual(parse("--version", "-n0"), { kind: "version" });
});

const frontCases: [name: string, text: string, want: FrontAddress | undefined][] = [
  ["every address", "*,8443", { address: { kind: "every" }, port: 8443 }],
  ["every address in brackets", "[*]:8443", { address: { kind: "every" }, port: 8443 }],
  ["IPv4", "127.0.0.1,1", { address: { kind: "ip", family: 4, address: "127.0.0.1" }, port: 1 }],
  ["IPv4 in brackets", "[127.0.0.1]:65535", { address: { kind: "ip", family: 4, address: "127.0.0.1" }, port: 65535 }],
  ["IPv6 in brackets", "[::1]:443", { address: { kind: "ip", family: 6, address: "::1" }, port: 443 }],
  ["IPv6 with a comma", "::1,443", { address: { kind: "ip", family: 6, address: "::1" }, port: 443 }],
  ["a name", "Example.org,443", { address: { kind: "name", name: "example.org" }, port: 443 }],
  ["a name in brackets", "[localhost]:443", { address: { kind: "name", name: "localhost" }, port: 443 }],
  ["a free port", "*,0", { address: { kind: "every" }, port: 0 }],
  ["a port too large, which stud took", "*,65536", undefined],
  ["a port with something behind it", "*,443x", undefined],
  ["a port with a sign", "*,+443", undefined],
  ["no port", "*,", undefined],
  ["no host", ",443", undefined],
  ["no host in brackets", "[]:443", undefined],
  ["a colon without brackets", "127.0.0.1:443", undefined],
  ["a comma behind brackets", "[::1],443", { address: { kind: "ip", family: 6, address: "::1" }, port: 443 }],
  ["brackets that do not end", "[::1:443", undefined],
  ["two hosts", "a,b,443", undefined],
  ["an address that is none", "127.0.0.256,443", undefined],
  ["a Unix socket", "unix:/run/x", undefined],
  ["a Unix socket and a port", "unix:/run/x,443", undefined],
  ["nothing", "", undefined],
  ["two lines", "*,443\n", undefined],
];
for (const [name, text, want] of frontCases) {
  test(`frontAddress: ${name}`, () => checkKind(frontAddress, text, want));
}

const backCases: [name: string, text: string, want: Endpoint | undefined][] = [
  ["IPv4", "127.0.0.1,8000", { kind: "tcp", host: "127.0.0.1", port: 8000 }],
  ["IPv6", "[FE80::1%eth0]:8000", { kind: "tcp", host: "fe80::1%eth0", port: 8000 }],
  ["a name", "backend.example,80", { kind: "tcp", host: "backend.example", port: 80 }],
  ["a Unix socket", "unix:/run/x", { kind: "unix", path: absolutePath("/run/x") }],
  ["a Unix socket with a comma in its path", "unix:/run/x,80", { kind: "unix", path: absolutePath("/run/x,80") }],
  ["a Unix socket with a relative path", "unix:x", undefined],
  ["every address", "*,8000", undefined],
  ["every address in brackets", "[*]:8000", undefined],
  ["port 0", "127.0.0.1,0", undefined],
  ["no port", "127.0.0.1", undefined],
];
for (const [name, text, want] of backCases) {
  test(`backAddress: ${name}`, () => checkKind(backAddress, text, want));
}

/** What is read is written so that it is read as the same again. */
function checkKind<Value>(kind: OptionKind<Value>, text: string, want: Value | undefined): void {
  const parsed = kind.parse(text, folder);
  assert.deepEqual(parsed.kind === "value" ? parsed.value : undefined, want);
  if (parsed.kind === "value") assert.deepEqual(kind.parse(kind.format(parsed.value), folder), parsed);
}

test("parseTerminatorArgv never throws, and what it reads is within bounds", () => {
  const words = fc.oneof(
    fc.string(),
    fc.constantFrom("-", "--", "-f", "-b", "-qs", "-n", "--client", "--write-ip", "-C", "--constructor", "4", "*,443"),
    fc.string().map((name) => `--${name}`),
    fc.string().map((name) => `-${name}`),
    fc
      .tuple(fc.constantFrom("--backend", "--keepalive", "--workers", "-b", "-f"), fc.string())
      .map((pair) => pair.join("=")),
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 5 }), (argv) => {
      const parsed = parse(...argv);
      if (parsed.kind === "faults") assert.notEqual(parsed.faults.length, 0);
      if (parsed.kind !== "settings") return;
      const { frontend, backend, client, pemFiles, tlsDir } = parsed.terminator;
      assert.ok(parsed.process.workers >= 1 && frontend.port <= 65535);
      assert.ok(client || tlsDir !== undefined || pemFiles.length > 0);
      for (const [kind, value] of [
        [frontAddress, frontend],
        [backAddress, backend],
      ] as const) {
        const text = (kind as OptionKind<unknown>).format(value);
        assert.deepEqual(kind.parse(text, folder), { kind: "value", value });
      }
    }),
    { numRuns: 300 },
  );
});
