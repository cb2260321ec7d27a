/** PEM files (RFC 7468): which part is what. */

export interface PemParts {
  /** Each certificate as its own text, in the order of the file. */
  readonly certificates: readonly string[];
  readonly keys: readonly string[];
  readonly dhParameters: readonly string[];
}

/** No line of a block begins with five dashes, so many BEGIN lines without an END cost only one pass. */
const BLOCK =
  /^-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n(?:(?!-----)[A-Za-z0-9+/=:, \t-]*\r?\n)*-----END \1-----[ \t]*$/gm;

/** Ignores text between the blocks and blocks of other kinds. */
export function splitPem(text: string): PemParts {
  const certificates: string[] = [];
  const keys: string[] = [];
  const dhParameters: string[] = [];
  for (const [block, label = ""] of text.matchAll(BLOCK)) {
    const part = `${block}\n`;
    if (label === "CERTIFICATE" || label === "X509 CERTIFICATE") certificates.push(part);
    else if (label === "PRIVATE KEY" || label.endsWith(" PRIVATE KEY")) keys.push(part);
    else if (label === "DH PARAMETERS") dhParameters.push(part);
  }
  return { certificates, keys, dhParameters };
}
