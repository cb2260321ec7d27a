/**
 * What the figures do not show. It stands below every table, so that nobody has to find out.
 */

/** @param rows  `{ row, cores }` for each row that was measured */
export function describeLimits(rows, { rounds, seconds }) {
  const has = (name) => rows.some(({ row }) => row.measure === name);
  const isShared = rows.some(({ cores }) => cores.kind === "shared");
  return [
    "The network is the loopback interface: no card, no interrupts, no lost packets, a packet of up to 64 KiB.",
    "All files are in memory before they are asked for: nothing is said about disks.",
    `A round lasts ${seconds} s, and there were ${rounds}: differences below 5 % mean nothing, and on a shared machine more.`,
    ...(has("requests")
      ? [
          "wrk asks as fast as it is answered: ceilings, not response times under a load that people make.",
          "On a fast server the client's core is full before the server's: then compare capacities.",
          "open_file_cache trusts what it knows of a file for 60 s, cache-valid and lighttpd for 1 s, sirv for good; the others look for each request, Comanche once for all that arrive together.",
        ]
      : []),
    ...(has("downloads")
      ? [
          "Processor time per gigabyte tells over loopback above all which side did the work of TCP: sendfile saves more on a card.",
        ]
      : []),
    ...(has("idleConnections")
      ? ["What the kernel holds for a connection is not in its memory: that is the same for all."]
      : []),
    ...(isShared
      ? ["Where server and client share cores, a thrifty client helps the server: only ratios mean something."]
      : []),
    ...(has("handshakes")
      ? [
          "A client that shakes hands asks for nothing and accepts any certificate. Terminators also connect to a backend for each.",
          "A session that resumes is always the same. With TLS 1.3 nginx and hitch give a new ticket each time, Node does not.",
        ]
      : []),
    ...(rows.some(({ row }) => row.backend === "beside the server")
      ? ["A terminator shares its core with its backend: the rate is that of both, processor time its own."]
      : []),
    "Neither compression nor HTTP/2 is in these rows.",
  ];
}
