/**
 * Numbers that carry their unit in their type, so that milliseconds never meet seconds unnoticed.
 */
declare const unit: unique symbol;

export type Bytes = number & { readonly [unit]: "bytes" };
/** A length of time, or a reading of the monotonic clock. */
export type Milliseconds = number & { readonly [unit]: "ms" };
export type Seconds = number & { readonly [unit]: "s" };
/** A moment: whole seconds since 1970-01-01 UTC. */
export type UnixSeconds = number & { readonly [unit]: "unix-s" };
/** A moment: milliseconds since 1970-01-01 UTC. */
export type UnixMilliseconds = number & { readonly [unit]: "unix-ms" };

export const bytes = (count: number): Bytes => count as Bytes;
export const milliseconds = (count: number): Milliseconds => count as Milliseconds;
export const seconds = (count: number): Seconds => count as Seconds;
export const unixSeconds = (count: number): UnixSeconds => count as UnixSeconds;
export const unixMilliseconds = (count: number): UnixMilliseconds => count as UnixMilliseconds;

export const toUnixSeconds = (time: UnixMilliseconds): UnixSeconds => unixSeconds(Math.floor(time / 1000));
