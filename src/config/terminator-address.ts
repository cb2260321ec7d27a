/**
 * Where a terminator listens and where it connects to, as stud wrote it: `HOST,PORT` or `[HOST]:PORT`.
 */
import type { Endpoint } from "../base/endpoint.ts";
import { formatListenAddress, type ListenAddress, parseListenAddress } from "./listen-address.ts";
import { type OptionKind, type Parsed, tcpPort, wholeNumber } from "./option-kinds.ts";

export interface FrontAddress {
  readonly address: Exclude<ListenAddress, { kind: "unix" }>;
  /** 0 lets the system choose a free one. */
  readonly port: number;
}

export const frontAddress: OptionKind<FrontAddress> = {
  shape: "single",
  placeholder: "HOST,PORT",
  parse(text, folder): Parsed<FrontAddress> {
    const fault = { kind: "fault", expects: "HOST,PORT or [HOST]:PORT, such as *,8443 or [::1]:8443" } as const;
    const words = splitHostPort(text);
    if (words === undefined) return fault;
    const address = parseListenAddress(words.host);
    const port = tcpPort.parse(words.port, folder);
    if (address === undefined || address.kind === "unix" || port.kind === "fault") return fault;
    return { kind: "value", value: { address, port: port.value } };
  },
  format: ({ address, port }) => `${formatListenAddress(address)},${port}`,
};

const backPort = wholeNumber(1, 65535);

export const backAddress: OptionKind<Endpoint> = {
  shape: "single",
  placeholder: "HOST,PORT",
  parse(text, folder): Parsed<Endpoint> {
    const expects = "HOST,PORT, [HOST]:PORT or unix:/path, such as 127.0.0.1,8000; * is no address to connect to";
    const fault = { kind: "fault", expects } as const;
    const whole = parseListenAddress(text);
    if (whole?.kind === "unix") return { kind: "value", value: whole };
    const words = splitHostPort(text);
    if (words === undefined) return fault;
    const address = parseListenAddress(words.host);
    const port = backPort.parse(words.port, folder);
    if (address?.kind !== "ip" && address?.kind !== "name") return fault;
    if (port.kind === "fault") return fault;
    return { kind: "value", value: { kind: "tcp", host: formatListenAddress(address), port: port.value } };
  },
  format: (back) => (back.kind === "unix" ? `unix:${back.path}` : `${back.host},${back.port}`),
};

function splitHostPort(text: string): { readonly host: string; readonly port: string } | undefined {
  const [, bracketed, bracketedPort = ""] = /^\[([^[\]]+)\]:([0-9]+)$/.exec(text) ?? [];
  if (bracketed !== undefined) return { host: bracketed, port: bracketedPort };
  const [, host, port = ""] = /^([^,]+),([0-9]+)$/.exec(text) ?? [];
  return host === undefined ? undefined : { host, port };
}
