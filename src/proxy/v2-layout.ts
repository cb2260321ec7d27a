/**
 * The layout of a version 2 header (specification §2.2): signature, command, family and protocol, length of the rest;
 * behind the addresses type-length-value vectors, each with one octet of type, two of length, and the value.
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

export const TLV_HEAD_OCTETS = 3;

export const ALPN = 0x01;
export const AUTHORITY = 0x02;
export const CRC32C = 0x03;
export const UNIQUE_ID = 0x05;
export const SSL = 0x20;

// Within the value of SSL.
export const SSL_VERSION = 0x21;
export const SSL_CN = 0x22;
export const SSL_CIPHER = 0x23;

/** Of SSL's value in front of its own TLVs: the client flags, and 32 bits of `verify`. */
export const SSL_HEAD_OCTETS = 5;

export const CLIENT_SSL = 0x01;
export const CLIENT_CERT_CONN = 0x02;
export const CLIENT_CERT_SESS = 0x04;

export const CRC32C_OCTETS = 4;
export const MAX_UNIQUE_ID_OCTETS = 128;
