import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { type Endpoint, formatEndpoint } from "../../src/base/endpoint.ts";
import type { ListenAddress } from "../../src/config/listen-address.ts";
import { endpointsFor, explainInheritedFault, explainListenFault } from "../../src/transport/endpoint.ts";

const tcp = (host: string, port: number): Endpoint => ({ kind: "tcp", host, port });
const unix: Endpoint = { kind: "unix", path: "/run/x" };

const endpoints: [name: string, address: ListenAddress, want: Endpoint[]][] = [
  ["every address: a socket for each family", { kind: "every" }, [tcp("0.0.0.0", 80), tcp("::", 80)]],
  ["IPv4", { kind: "ip", family: 4, address: "127.0.0.1" }, [tcp("127.0.0.1", 80)]],
  ["IPv6", { kind: "ip", family: 6, address: "::1" }, [tcp("::1", 80)]],
  ["a name", { kind: "name", name: "localhost" }, [tcp("localhost", 80)]],
  ["a Unix socket has no port", { kind: "unix", path: absolutePath("/run/x") }, [unix]],
];
for (const [name, address, want] of endpoints) {
  test(`endpointsFor: ${name}`, () => assert.deepEqual(endpointsFor(address, 80), want));
}

const IN_USE = "the port is in use; choose another one, or stop the program that uses it";
const faults: [code: string | undefined, endpoint: Endpoint, want: string][] = [
  ["EADDRINUSE", tcp("::", 80), IN_USE],
  ["EADDRINUSE", unix, "another program listens there, or the file is not a socket"],
  ["EACCES", tcp("::", 80), "permission denied; ports below 1024 need root, try -p 8080"],
  ["EACCES", tcp("::", 1024), "permission denied"],
  ["EACCES", tcp("::", 0), "permission denied"],
  ["EACCES", unix, "permission denied"],
  ["EADDRNOTAVAIL", tcp("192.0.2.1", 80), "this machine does not have that address"],
  ["EAFNOSUPPORT", tcp("::", 80), "this machine does not support that address family"],
  ["ENOTFOUND", tcp("nowhere", 80), "the host name cannot be resolved"],
  ["EAI_AGAIN", tcp("nowhere", 80), "the host name cannot be resolved"],
  ["ENOENT", unix, "there is no such directory"],
  ["EIO", unix, "EIO"],
  [undefined, unix, "unknown error"],
];
for (const [code, endpoint, want] of faults) {
  test(`explainListenFault: ${code} on ${formatEndpoint(endpoint)}`, () => {
    assert.equal(explainListenFault(code, endpoint), want);
  });
}

test("explainInheritedFault: a socket on which nothing can be accepted", () => {
  assert.match(explainInheritedFault("EINVAL"), /Accept=no/);
  assert.equal(explainInheritedFault("EMFILE"), "EMFILE");
});
