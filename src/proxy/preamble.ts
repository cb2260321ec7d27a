/**
 * What a backend gets ahead of the client's first byte, in the form that the settings name.
 */
import type { SocketAddress } from "../base/endpoint.ts";
import { encodeV1, encodeV2, encodeWriteIp, type ProxyTlvs } from "./encode.ts";

export type PreambleForm = "nothing" | "ip" | "proxy-v1" | "proxy-v2" | "passed-on";

export interface PreambleFacts {
  readonly client: SocketAddress;
  /** Where the client connected to. */
  readonly server: SocketAddress;
  /** Asked for where the form has room for them. */
  readonly tlvs: () => ProxyTlvs;
  /** The PROXY header that the client's connection began with; empty where there was none. */
  readonly header: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** @throws when an address is no IP address */
export function encodePreamble(form: PreambleForm, told: PreambleFacts): Uint8Array {
  switch (form) {
    case "nothing":
      return NOTHING;
    case "ip":
      return encodeWriteIp(told.client.address);
    case "proxy-v1":
      return encodeV1(told.client, told.server);
    case "proxy-v2":
      return encodeV2(told.client, told.server, told.tlvs());
    case "passed-on":
      return told.header;
  }
}
