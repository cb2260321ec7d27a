/**
 * Downloads one file again and again: `node download-client.js SECURITY PORT PATH CONNECTIONS SECONDS`, SECURITY plain or tls.
 * Prints what came as a line of JSON: bytes of bodies, whole downloads, seconds, and what went wrong.
 *
 * wrk reads 8 KiB at a time, which makes it the limit for large files; this reads 256 KiB into a buffer that is used
 * again and looks at none of it but the head.
 */
import * as net from "node:net";
import * as tls from "node:tls";

const READ_BYTES = 256 * 1024;
/** The suite is the same for every server: encrypting is most of the work. */
const TLS = { minVersion: "TLSv1.3", ciphers: "TLS_AES_128_GCM_SHA256", rejectUnauthorized: false };
const [security, port, path, connections, seconds] = process.argv.slice(2);
const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;

const counts = { bytes: 0, downloads: 0, seconds: 0, faults: [] };
const sockets = Array.from({ length: Number(connections) }, open);
const began = performance.now();
setTimeout(finish, Number(seconds) * 1000);

function open() {
  let head = "";
  /** Bytes of the body that are still to come; undefined while the head is. */
  let left;
  const { connect } = security === "tls" ? tls : net;
  const socket = connect({
    ...(security === "tls" ? TLS : {}),
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
