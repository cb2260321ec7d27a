/**
 * The type-length-value vectors of version 2 (specification §2.2): one octet of type, two of length, the value.
 */
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
