/** One header field line of a response. */
export interface Field {
  readonly name: string;
  readonly value: string;
}

/**
 * The header fields of a request. Names are asked for in lower case; values are Latin-1 text without the blanks
 * around them, exactly as they arrived (RFC 9110 §5).
 */
export interface RequestFields {
  readonly count: number;
  has(name: string): boolean;
  /** The value of the field; several lines of one name are joined with ", " (RFC 9110 §5.3). Undefined when absent. */
  get(name: string): string | undefined;
  /** The value of each line of that name, in order of arrival. */
  all(name: string): readonly string[];
}
