#!/usr/bin/env node
/**
 * The `comanche` command of a checkout: builds when the sources are newer, then runs. An installed package is built already.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setUp } from "./setup.js";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

if (existsSync(join(ROOT, "test"))) setUp();
await import("../dist/src/main.js");
