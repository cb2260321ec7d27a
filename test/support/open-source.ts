/** An open file as a response is sent from, described as it is now. */
import { fstatSync } from "node:fs";
import { bytes } from "../../src/base/units.ts";
import type { OpenSource } from "../../src/http/response-plan.ts";

/** @param isSettled  whether the same times are to prove that it is unchanged */
export function openSource(descriptor: number, isSettled = true): OpenSource {
  const { dev, ino, size, mtimeNs, ctimeNs } = fstatSync(descriptor, { bigint: true });
  const identity = { device: dev, inode: ino, size: bytes(Number(size)), modifiedNs: mtimeNs, changedNs: ctimeNs };
  return { descriptor, identity, isSettled };
}
