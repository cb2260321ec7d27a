/**
 * Downloads one file again and again: `node download-client.js PORT PATH CONNECTIONS SECONDS`. Prints what came as a line
 * of JSON: bytes of bodies, whole downloads, seconds, and what went wrong.
 *
 * wrk reads 8 KiB at a time, which makes it the limit for large files; this reads 256 KiB into a buffer that is used
 * again and looks at none of it but the head.
 */
import { connect } from "node:net";

const READ_BYTES = 256 * 1024;
const [port, path, connections, seconds] = process.argv.slice(2);
const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;

const counts = { bytes: 0, downloads: 0, seconds: 0, faults: [] };
const sockets = Array.from({ length: Number(connections) }, open);
const began = performance.now();
setTimeout(finish, Number(seconds) * 1000);

function open() {
  let head = "";
  /** Bytes of the body that are still to come; undefined while the head is. */
  let left;
  const socket = connect({
    port: Number(port),
    host: "127.0.0.1",
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback(length, buffer) {
        const body = left === undefined ? takeHead(buffer.latin1Slice(0, length)) : length;
        if (left === undefined) return true;
        counts.bytes += body;
        left -= body;
        if (left > 0) return true;
        counts.downloads += 1;
        left = undefined;
        socket.write(request);
        return true;
      },
    },
  });
  socket.on("error", ({ message }) => fail(message));
  socket.on("end", () => fail("the server closed a connection"));
  socket.write(request);
  return socket;

  /** @returns how many bytes of the text are of the body already; `left` stays undefined until the head is complete */
  function takeHead(text) {
    head += text;
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return 0;
    if (!head.startsWith("HTTP/1.1 200 ")) fail(head.slice(0, head.indexOf("\r\n")));
    const size = /^content-length: *(\d+)/im.exec(head)?.[1];
    if (size === undefined) fail("an answer without Content-Length");
    left = Number(size);
    const body = head.length - end - 4;
    head = "";
    return body;
  }
}

function fail(fault) {
  counts.faults.push(fault);
  finish();
}

function finish() {
  counts.seconds = (performance.now() - began) / 1000;
  for (const socket of sockets) socket.destroy();
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit());
}
