/**
 * The fixed part of a version 2 header (specification §2.2): signature, command, family and protocol, length of the rest.
 */
export const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);

/** What stands before the address block: the signature, two octets, and a length of two. */
export const FIXED_OCTETS = 16;

// The version in the high four bits, the command in the low ones.
export const LOCAL_COMMAND = 0x20;
export const PROXY_COMMAND = 0x21;

// The family in the high four bits, the transport protocol in the low ones.
export const UNSPEC = 0x00;
export const TCP_OVER_IPV4 = 0x11;
export const TCP_OVER_IPV6 = 0x21;
export const UNIX_STREAM = 0x31;
