/**
 * Sends two events to syslog, after the memory of what opened it has had its chance to be freed.
 */
import { loadNative } from "../../src/system/native.ts";
import { openSyslogSink } from "../../src/system/syslog-sink.ts";

const sink = openSyslogSink(await loadNative(), "local3", "info");
// Buffers up to this size share one piece of memory, which is left for the next one when it is full.
for (let count = 0; count < 10_000; count++) Buffer.from(`overwritten ${count}`);
sink.write("error", "100 %s %n of “it”\nat x");
sink.write("info", "last");
