/** The TLS settings of the sites and of each terminator. */
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { ServerSettings, Settings } from "../config/settings.ts";
import type { TerminatorSettings } from "../config/terminator-settings.ts";
import { formatPurpose } from "../transport/endpoint.ts";
import type { TlsRules } from "./tls-context.ts";

/** The files of one side of a handshake, and its rules. */
export interface TlsSpec {
  /** `client`: it begins the handshakes, and may have no certificate. */
  readonly side: "server" | "client";
  readonly pemFiles: readonly AbsolutePath[];
  /** Undefined where the keys are in the same files. */
  readonly keyFile: AbsolutePath | undefined;
  /** Its *.pem files are used like `pemFiles`. */
  readonly folder: AbsolutePath | undefined;
  /** Which certificate an unknown name gets. */
  readonly fallback: "first" | "last";
  /** The first encrypts. Empty for the primary's ticket keys. */
  readonly ticketKeyFiles: readonly AbsolutePath[];
  /** The CAs for the other side's certificate. */
  readonly authorityFile: AbsolutePath | undefined;
  readonly rules: TlsRules;
}

/** The key is the user's name from `formatPurpose`; empty where TLS is not used. */
export type TlsSpecs = ReadonlyMap<string, TlsSpec>;

export function tlsSpecs({ server, terminators }: Pick<Settings, "server" | "terminators">): TlsSpecs {
  const specs = new Map<string, TlsSpec>();
  if (server.tlsPort !== undefined) specs.set(formatPurpose({ kind: "https" }), serverSpec(server));
  for (const [name, terminator] of terminators) {
    specs.set(formatPurpose({ kind: "terminator", name }), terminatorSpec(terminator));
  }
  return specs;
}

function serverSpec(server: ServerSettings): TlsSpec {
  return {
    side: "server",
    pemFiles: server.tlsCert,
    keyFile: server.tlsKey,
    folder: server.tlsDir,
    fallback: "first",
    ticketKeyFiles: server.tlsTicketKeys,
    authorityFile: server.tlsClientCa,
    rules: httpsRules(server),
  };
}

function terminatorSpec(terminator: TerminatorSettings): TlsSpec {
  const { client, pemFiles, tlsDir, tlsTicketKeys, tlsClientCa, backendCa } = terminator;
  return {
    side: client ? "client" : "server",
    pemFiles,
    keyFile: undefined,
    folder: tlsDir,
    fallback: "last",
    ticketKeyFiles: tlsTicketKeys,
    authorityFile: client ? backendCa : tlsClientCa,
    rules: terminatorRules(terminator),
  };
}

/** A client that offers only HTTP/1.0, such as `curl --http1.0`, is served too. */
const HTTP_PROTOCOLS = ["http/1.1", "http/1.0"];

export function httpsRules(server: ServerSettings): TlsRules {
  return { ...sharedRules(server), ciphers: server.tlsCiphers, alpn: HTTP_PROTOCOLS };
}

export function terminatorRules(terminator: TerminatorSettings): TlsRules {
  return { ...sharedRules(terminator), ciphers: terminator.ciphers, alpn: terminator.alpn };
}

type Shared = Pick<
  ServerSettings & TerminatorSettings,
  "tlsMinVersion" | "tlsSuites" | "tlsCurves" | "tlsSniStrict" | "tlsClientVerify" | "tlsHandshakeTimeout"
>;

function sharedRules(settings: Shared) {
  return {
    minVersion: settings.tlsMinVersion === "1.2" ? "TLSv1.2" : "TLSv1.3",
    suites: settings.tlsSuites,
    curves: settings.tlsCurves,
    sniStrict: settings.tlsSniStrict,
    clientVerify: settings.tlsClientVerify,
    handshakeTimeout: settings.tlsHandshakeTimeout,
  } as const;
}
