/**
 * Loaded into a server's processes with `NODE_OPTIONS=--import=…`: the optional package koffi is not there.
 */
import { register } from "node:module";

const hook = `
  export function resolve(specifier, context, next) {
    if (specifier !== "koffi") return next(specifier, context);
    throw Object.assign(new Error("koffi is hidden"), { code: "ERR_MODULE_NOT_FOUND" });
  }`;

register(`data:text/javascript,${encodeURIComponent(hook)}`);
