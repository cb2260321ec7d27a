import assert from "node:assert/strict";
import { test } from "node:test";
import { isBuiltIn } from "../../src/config/settings.ts";
import { faultLines, loadText, settingsOf } from "./fake-disk.ts";

const settings = (text: string, flags = {}) => settingsOf(loadText(text, flags));
const faults = (text: string, flags = {}) => faultLines(loadText(text, flags));

const precedence: [name: string, text: string, flags: Record<string, string>, port: number, source: string][] = [
  ["the default", "", {}, 8080, "built in"],
  ["the file over the default", "[main]\nport = 81", {}, 81, "test.conf:2"],
  ["a flag over the default", "", { port: "82" }, 82, "--port"],
  ["a flag over the file", "[main]\nport = 81", { port: "82" }, 82, "--port"],
  ["[DEFAULT] over the default", "[DEFAULT]\nport = 83", {}, 83, "test.conf:2"],
  [
    "the section over [DEFAULT], whichever comes first",
    "[main]\nport = 81\n[DEFAULT]\nport = 83",
    {},
    81,
    "test.conf:2",
  ],
  ["the long name of the section", "[Main server configuration]\nport = 81", {}, 81, "test.conf:2"],
  ["the section in any case", "[MAIN]\nport = 81", {}, 81, "test.conf:2"],
];
for (const [name, text, flags, port, source] of precedence) {
  test(`precedence: ${name}`, () => {
    const built = settings(text, flags);
    assert.equal(built.server.port, port);
    assert.equal(built.sources.get("port"), source);
    assert.equal(isBuiltIn(built, "port"), source === "built in");
  });
}

test("the default port is 80 for root", () => {
  assert.equal(settingsOf(loadText("", {}, { starter: { isRoot: true } })).server.port, 80);
});

test("settings are frozen, down to their lists", () => {
  const built = settings("[Virtual host a]\nhosts = a");
  const parts = [built, built.server, built.main, built.main.indexfiles, built.virtualHosts.get("a")?.hosts];
  assert.ok(parts.every((part) => part !== undefined && Object.isFrozen(part)));
});

test("interpolation: keys of the section and of [DEFAULT], and percent signs", () => {
  const built = settings("[DEFAULT]\nroot = /srv\n[main]\ndocbase = %(root)s/100%%\nlogfile = %(docbase)s/log");
  assert.equal(built.main.docbase, "/srv/100%");
  assert.equal(built.server.logfile, "/srv/100%/log");
});

test("a variable of [DEFAULT] may name what each section sets itself", () => {
  const text =
    "[DEFAULT]\nhome = /srv/%(charset)s\n[main]\ncharset = a\ndocbase = %(home)s\n[Virtual host x]\ncharset = b\ndocbase = %(home)s";
  const built = settings(text);
  assert.deepEqual([built.main.docbase, built.virtualHosts.get("x")?.docbase], ["/srv/a", "/srv/b"]);
});

test("what a section inherits and cannot use need not make sense in it", () => {
  const text =
    "[DEFAULT]\nlogfile = %(docbase)s/log\n[main]\ndocbase = /srv\n[Virtual host x]\n[MIME types]\nfoo = x/y";
  assert.equal(settings(text).server.logfile, "/srv/log");
});

test("a virtual host has what its section says, else what the main server has", () => {
  const built = settings("[main]\nlisting = no\ncharset = x\n[Virtual host A.Example.]\ncharset = y", {
    dotfiles: "yes",
  });
  const host = built.virtualHosts.get("a.example");
  assert.deepEqual([host?.listing, host?.charset, host?.dotfiles], [false, "y", true]);
});

test("a flag speaks for the main server: what a virtual host says itself stays", () => {
  const built = settings("[Virtual host a]\nlisting = yes\n[Virtual host b]", { listing: "no" });
  const listings = [built.main, built.virtualHosts.get("a"), built.virtualHosts.get("b")].map((site) => site?.listing);
  assert.deepEqual(listings, [false, true, false]);
});

const docbases: [name: string, text: string, want: string][] = [
  ["its own", "[main]\nvirthost = yes\n[Virtual host a]\ndocbase = sites/a", "/home/me/sites/a"],
  ["with virthost the folder of its name", "[main]\nvirthost = yes\ndocbase = /srv\n[Virtual host A]", "/srv/a"],
  ["without virthost that of the main server", "[main]\ndocbase = /srv\n[Virtual host a]", "/srv"],
  ["inherited from [DEFAULT]", "[DEFAULT]\ndocbase = /all\n[main]\nvirthost = yes\n[Virtual host a]", "/all"],
];
for (const [name, text, want] of docbases) {
  test(`docbase of a virtual host: ${name}`, () => {
    assert.equal(settings(text).virtualHosts.get("a")?.docbase, want);
  });
}

const inChroot = "chroot = /jail\nuser = www-data\n";
const insides: [name: string, text: string, flags: Record<string, string>, want: string][] = [
  ["the default is /htdocs in it", "", {}, "/htdocs"],
  ["a relative path of the file counts from its root", "docbase = www/a", {}, "/www/a"],
  ["a relative path of a flag does too", "", { docbase: "www" }, "/www"],
  ["an absolute path stays as it is", "docbase = /srv/www", {}, "/srv/www"],
  ["a path that climbs ends at its root", "docbase = ../../www", {}, "/www"],
];
for (const [name, text, flags, want] of insides) {
  test(`docbase with chroot: ${name}`, () => {
    assert.equal(settings(`[main]\n${inChroot}${text}`, flags).main.docbase, want);
  });
}

test("docbase with chroot: it does not matter whether chroot comes from a flag or from the file", () => {
  const flags = { chroot: "jail", user: "www-data" };
  const built = settings("[main]\ndocbase = www", flags);
  assert.deepEqual([built.server.chroot, built.main.docbase], ["/home/me/jail", "/www"]);
});

test("docbase with chroot: that of a virtual host is inside too, its own, by its name, and the main server's", () => {
  const text = `[main]\n${inChroot}docbase = www\n[Virtual host a]\ndocbase = sites/a\n[Virtual host b]`;
  const docbases = (flags: Record<string, string>) =>
    [...settings(text, flags).virtualHosts.values()].map((site) => site.docbase);
  assert.deepEqual(docbases({}), ["/sites/a", "/www"]);
  assert.deepEqual(docbases({ virthost: "yes" }), ["/sites/a", "/www/b"]);
});

test("with chroot what is opened before it stays a path outside", () => {
  const text = `[main]\n${inChroot}logfile = log\nerrorlog = err\npidfile = pid\nupload-dir = /up\naddress = unix:/run/x`;
  const { server, main } = settings(text);
  assert.deepEqual([server.logfile, server.errorlog, server.pidfile], ["/home/me/log", "/home/me/err", "/home/me/pid"]);
  assert.deepEqual([server.address, main.uploadDir], [[{ kind: "unix", path: "/run/x" }], "/up"]);
});

test("a chroot of / is none", () => {
  const built = settings("[main]\nchroot = /\ndocbase = www");
  assert.deepEqual([built.server.chroot, built.main.docbase], [undefined, "/home/me/www"]);
});

test("error pages: the built-in default, more of them, and taken away again", () => {
  const built = settings("[main]\nerror-403 = /no.html\n[Virtual host a]\nerror-404 =\nerror-500 = /broken.html");
  assert.deepEqual(
    [...built.main.errorPages],
    [
      [403, "/no.html"],
      [404, "/404.html"],
    ],
  );
  assert.deepEqual(
    [...(built.virtualHosts.get("a")?.errorPages ?? [])],
    [
      [403, "/no.html"],
      [500, "/broken.html"],
    ],
  );
});

test("media types: extensions in lower case and without dot, the same for every site", () => {
  const built = settings("[DEFAULT]\nt = text\n[MIME types]\n.FOO: %(t)s/x-foo\nbar=Image/Bar\n[Virtual host a]");
  assert.deepEqual(
    [...built.main.mimeTypes],
    [
      ["foo", "text/x-foo"],
      ["bar", "image/bar"],
    ],
  );
  assert.equal(built.virtualHosts.get("a")?.mimeTypes, built.main.mimeTypes);
});

const NEEDS_USER = "expected user to name an unprivileged account: root can leave a chroot";
const ONE_CERTIFICATE =
  "expected exactly one file in tls-cert and no tls-dir: several files must contain their own keys";
const faultCases: [name: string, text: string, want: string[]][] = [
  [
    "an unknown key",
    "[main]\nindexfile = x",
    ["test.conf:2: [main] indexfile = x: unknown option (did you mean indexfiles?)"],
  ],
  ["an unknown key like no other", "[main]\nfrobnicate = x", ["test.conf:2: [main] frobnicate = x: unknown option"]],
  [
    "an unknown section",
    "[Mian]\nx = 1",
    [
      "test.conf:1: [Mian]: unknown section: expected [main], [MIME types], [Virtual host NAME] or [TLS terminator NAME] (did you mean [main]?)",
    ],
  ],
  [
    "a virtual host's section written as one word",
    "[Virtualhost a.example]",
    [
      "test.conf:1: [Virtualhost a.example]: unknown section: expected [main], [MIME types], [Virtual host NAME] or [TLS terminator NAME] (did you mean [Virtual host a.example]?)",
    ],
  ],
  [
    "[default] is not [DEFAULT]",
    "[default]",
    [
      "test.conf:1: [default]: unknown section: expected [main], [MIME types], [Virtual host NAME] or [TLS terminator NAME] (did you mean [DEFAULT]?)",
    ],
  ],
  [
    "the main section under both names",
    "[main]\nport = 80\n[Main server configuration]\nport = x",
    [
      "test.conf:3: [Main server configuration]: is the same section as [main] at line 1: expected it once",
      "test.conf:4: [Main server configuration] port = x: expected a whole number from 0 to 65535",
    ],
  ],
  [
    "a virtual host under two spellings",
    "[Virtual host a]\n[virtual host A.]",
    ["test.conf:2: [virtual host A.]: is the same section as [Virtual host a] at line 1: expected it once"],
  ],
  [
    "a virtual host without name",
    "[Virtual host]",
    ["test.conf:1: [Virtual host]: expected a host name after Virtual host, without port"],
  ],
  [
    "a virtual host whose name climbs",
    "[Virtual host ../a]",
    ["test.conf:1: [Virtual host ../a]: expected a host name after Virtual host, without port"],
  ],
  [
    "an option of the server in a virtual host",
    "[Virtual host a]\nport = 80",
    ["test.conf:2: [Virtual host a] port = 80: is an option of the whole server: expected it in [main]"],
  ],
  [
    "a variable that nothing uses",
    "[DEFAULT]\nprot = 80",
    ["test.conf:2: [DEFAULT] prot = 80: unknown option (did you mean port?)"],
  ],
  [
    "a fault of [DEFAULT] is told once, however many inherit it",
    "[DEFAULT]\nlisting = perhaps\n[main]\n[Virtual host a]\n[Virtual host b]",
    ["test.conf:2: [DEFAULT] listing = perhaps: expected yes or no"],
  ],
  [
    "a bad reference",
    "[main]\ndocbase = %(root)s",
    ["test.conf:2: [main] docbase = %(root)s: expected %(root)s to name a key of this section or of [DEFAULT]"],
  ],
  [
    "a comment behind a value",
    "[main]\nport = 80 ; the usual one",
    [
      "test.conf:2: [main] port = 80 ; the usual one: expected a whole number from 0 to 65535 (a comment needs a line of its own)",
    ],
  ],
  [
    "a line that is indented by mistake",
    "[main]\nport = 80\n  backlog = 5",
    [
      "test.conf:2: [main] port = 80\\nbacklog = 5: expected a whole number from 0 to 65535 (line 3 is indented, so it continues this value)",
    ],
  ],
  ["an empty value", "[main]\nport =", ["test.conf:2: [main] port =: expected a whole number from 0 to 65535"]],
  [
    "no media type",
    "[MIME types]\nfoo = text",
    ["test.conf:2: [MIME types] foo = text: expected a media type such as text/plain"],
  ],
  [
    "no extension",
    "[MIME types]\na.b = x/y",
    ["test.conf:2: [MIME types] a.b = x/y: expected a file extension before the ="],
  ],
  [
    "an extension twice",
    "[MIME types]\nfoo = x/y\n.foo = x/z",
    ["test.conf:3: [MIME types] .foo = x/z: expected each extension once, with or without its dot"],
  ],
  [
    "a default host without virtual hosts",
    "[main]\ndefault-host = a",
    [
      "test.conf:2: [main] default-host = a: there are no virtual hosts: expected virthost = yes, or a section [Virtual host NAME]",
    ],
  ],
  [
    "a default host that is none of the virtual hosts",
    "[main]\ndefault-host = intranat\n[Virtual host intranet]",
    [
      "test.conf:2: [main] default-host = intranat: expected the name of one of the sections [Virtual host NAME], or virthost = yes (did you mean intranet?)",
    ],
  ],
  [
    "a cached file larger than the cache",
    "[main]\ncache-file = 2m\ncache-size = 1m",
    [
      "test.conf:2: [main] cache-file = 2m: cache-file (2m) is larger than cache-size (1m): expected it to be smaller, or cache-size = 0",
    ],
  ],
  [
    "a cache smaller than the largest file by default",
    "[main]\ncache-size = 512k",
    [
      "test.conf:2: [main] cache-size = 512k: cache-file (1m) is larger than cache-size (512k): expected it to be smaller, or cache-size = 0",
    ],
  ],
  [
    "an address twice",
    "[main]\naddress = ::1, [::1]",
    ["test.conf:2: [main] address = ::1, [::1]: ::1 is given twice: expected each address once"],
  ],
  [
    "another address beside every address",
    "[main]\naddress = *, ::1",
    ["test.conf:2: [main] address = *, ::1: * is every address: expected no further address, except unix:/path"],
  ],
  ["a chroot without user", "[main]\nchroot = /jail", [`test.conf:2: [main] chroot = /jail: ${NEEDS_USER}`]],
  [
    "a chroot with the user that can leave it",
    "[main]\nchroot = /jail\nuser = root",
    [`test.conf:2: [main] chroot = /jail: ${NEEDS_USER}`],
  ],
  [
    "a chroot with the number of that user",
    "[main]\nuser = 0\nchroot = /jail",
    [`test.conf:3: [main] chroot = /jail: ${NEEDS_USER}`],
  ],
  [
    "a chroot whose user is a fault already",
    "[main]\nchroot = /jail\nuser = a b",
    ["test.conf:3: [main] user = a b: expected the name or the number of an account, or nothing"],
  ],
  [
    "more processes than threads",
    "[main]\nworkers = 2\nprocesses = 3",
    [
      "test.conf:3: [main] processes = 3: processes (3) is more than workers (2): each process needs a thread of its own",
    ],
  ],
  [
    "more processes than connections",
    "[main]\nmax-connections = 2\nprocesses = 3",
    [
      "test.conf:3: [main] processes = 3: processes (3) is more than max-connections (2): each process needs at least one connection",
    ],
  ],
  [
    "a facility without syslog",
    "[main]\nsyslog-facility = local0",
    ["test.conf:2: [main] syslog-facility = local0: has no effect without syslog: expected syslog = yes"],
  ],
  [
    "the mode of a socket that there is not",
    "[main]\nsocket-mode = 660\naddress = 127.0.0.1",
    ["test.conf:2: [main] socket-mode = 660: has no effect without a Unix socket: expected address = unix:/path"],
  ],
  [
    "no contradiction is told of a value that is a fault",
    "[main]\ncache-file = 2m\ncache-size = one",
    ["test.conf:3: [main] cache-size = one: expected a size such as 512, 64k or 10m"],
  ],
  ...[
    "tls-cert = a.pem",
    "tls-key = a.key",
    "tls-dir = certificates",
    "tls-sni-strict = yes",
    "tls-min-version = 1.3",
    "tls-ciphers = ECDHE-RSA-AES128-GCM-SHA256",
    "tls-suites = TLS_AES_128_GCM_SHA256",
    "tls-curves = X25519",
    "tls-ticket-keys = ticket.key",
    "tls-client-ca = ca.pem",
    "tls-client-verify = optional",
    "tls-handshake-timeout = 3s",
    "tls-handshakes = 7",
    "tls-redirect = yes",
    "hsts = 8760h",
  ].map((line): [string, string, string[]] => [
    `without TLS ${line} does nothing`,
    `[main]\n${line}`,
    [`test.conf:2: [main] ${line}: has no effect without tls-port`],
  ]),
  [
    "TLS without a certificate",
    "[main]\ntls-port = 8443",
    ["test.conf:2: [main] tls-port = 8443: needs a certificate: expected tls-cert or tls-dir"],
  ],
  [
    "a key for several certificates",
    "[main]\ntls-port = 8443\ntls-cert = a.pem, b.pem\ntls-key = a.key",
    [`test.conf:4: [main] tls-key = a.key: ${ONE_CERTIFICATE}`],
  ],
  [
    "a key for a folder of certificates",
    "[main]\ntls-port = 8443\ntls-dir = certificates\ntls-key = a.key",
    [`test.conf:4: [main] tls-key = a.key: ${ONE_CERTIFICATE}`],
  ],
  [
    "a key for a certificate and a folder",
    "[main]\ntls-port = 8443\ntls-cert = a.pem\ntls-dir = certificates\ntls-key = a.key",
    [`test.conf:5: [main] tls-key = a.key: ${ONE_CERTIFICATE}`],
  ],
  [
    "TLS on Unix sockets alone",
    "[main]\naddress = unix:/run/x\ntls-port = 8443\ntls-cert = a.pem",
    ["test.conf:3: [main] tls-port = 8443: has no effect if every address is a Unix socket"],
  ],
  [
    "one port for both",
    "[main]\nport = 8443\ntls-port = 8443\ntls-cert = a.pem",
    ["test.conf:3: [main] tls-port = 8443: is the same as port: expected another number"],
  ],
  [
    "the port that is the default for both",
    "[main]\ntls-port = 8080\ntls-cert = a.pem",
    ["test.conf:2: [main] tls-port = 8080: is the same as port: expected another number"],
  ],
  [
    "clients are asked for a certificate, and nobody says who certifies them",
    "[main]\ntls-port = 8443\ntls-cert = a.pem\ntls-client-verify = optional",
    ["test.conf:4: [main] tls-client-verify = optional: has no effect without tls-client-ca"],
  ],
  [
    "HSTS without a redirect",
    "[main]\ntls-port = 8443\ntls-cert = a.pem\nhsts = 8760h",
    [
      "test.conf:4: [main] hsts = 8760h: expected tls-redirect = yes: browsers ignore Strict-Transport-Security over HTTP",
    ],
  ],
  [
    "no contradiction is told of a TLS port that is a fault",
    "[main]\ntls-port = x\ntls-cert = a.pem",
    ["test.conf:2: [main] tls-port = x: expected a whole number from 0 to 65535, or nothing"],
  ],
  [
    "a limit of nothing",
    "[main]\nmax-header = 0",
    ["test.conf:2: [main] max-header = 0: expected a size from 256 to 1m, such as 512, 64k or 10m"],
  ],
];
for (const [name, text, want] of faultCases) {
  test(`faults: ${name}`, () => assert.deepEqual(faults(text), want));
}

const sound: [name: string, text: string][] = [
  ["a default host with virthost", "[main]\ndefault-host = a\nvirthost = yes"],
  ["a default host with a section", "[main]\ndefault-host = a\n[Virtual host A]"],
  ["no cache at all", "[main]\ncache-size = 0"],
  ["a cache of one file", "[main]\ncache-size = 1m"],
  ["every address and a Unix socket", "[main]\naddress = *, unix:/run/x"],
  ["a chroot with a user", "[main]\nchroot = /jail\nuser = www-data"],
  ["a group without a user", "[main]\ngroup = www-data"],
  ["a process for each thread", "[main]\nprocesses = 10"],
  ["few threads, and processes left to the server", "[main]\nworkers = 1\nprocesses = auto"],
  ["a facility with syslog", "[main]\nsyslog = yes\nsyslog-facility = local0"],
  ["the default facility written down", "[main]\nsyslog-facility = daemon"],
  ["a mode for a Unix socket", "[main]\nsocket-mode = 660\naddress = ::1, unix:/run/x"],
  ["the default mode written down", "[main]\nsocket-mode = 0666"],
  ["TLS with a certificate", "[main]\ntls-port = 8443\ntls-cert = a.pem"],
  ["TLS with several", "[main]\ntls-port = 8443\ntls-cert = a.pem, b.pem"],
  ["TLS with a key in a file of its own", "[main]\ntls-port = 8443\ntls-cert = a.pem\ntls-key = a.key"],
  ["TLS with a folder of certificates", "[main]\ntls-port = 8443\ntls-dir = certificates"],
  ["two free ports", "[main]\nport = 0\ntls-port = 0\ntls-cert = a.pem"],
  ["TLS and a Unix socket", "[main]\naddress = *, unix:/run/x\ntls-port = 8443\ntls-cert = a.pem"],
  ["HSTS with a redirect", "[main]\ntls-port = 8443\ntls-cert = a.pem\nhsts = 8760h\ntls-redirect = yes"],
  [
    "clients may show a certificate",
    "[main]\ntls-port = 8443\ntls-cert = a.pem\ntls-client-ca = ca.pem\ntls-client-verify = optional",
  ],
  [
    "without TLS its defaults written down",
    "[main]\ntls-min-version = 1.2\ntls-client-verify = require\ntls-redirect = no\ntls-handshakes = 1000\nhsts = 0",
  ],
];
for (const [name, text] of sound) test(`no contradiction: ${name}`, () => assert.deepEqual(faults(text), []));

test("six faults in a file and two in the flags are told at once, in order", () => {
  const text = [
    "# six faults",
    "[main]",
    "port = eighty",
    "indexfile = start.html",
    "just a thought",
    "logformat = commn",
    "",
    "[Virtual host a.example]",
    "backlog = 5",
    "[Headers]",
  ].join("\n");
  assert.deepEqual(faults(text, { port: "70000", "send-timeout": "soon" }), [
    "--port=70000: expected a whole number from 0 to 65535",
    "--send-timeout=soon: expected a time from 1ms to 24h, such as 500ms, 3s or 5m",
    "test.conf:3: [main] port = eighty: expected a whole number from 0 to 65535",
    "test.conf:4: [main] indexfile = start.html: unknown option (did you mean indexfiles?)",
    "test.conf:5: just a thought: expected key = value, a [section] or a comment",
    "test.conf:6: [main] logformat = commn: expected one of common, combined, vhost, json (did you mean common?)",
    "test.conf:9: [Virtual host a.example] backlog = 5: is an option of the whole server: expected it in [main]",
    "test.conf:10: [Headers]: unknown section: expected [main], [MIME types], [Virtual host NAME] or [TLS terminator NAME]",
  ]);
});
