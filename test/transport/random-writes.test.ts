/**
 * TLS on a handle ends the process when it gets a second write before the first is finished: so connections write at random, to
 * readers that are slow or go, and end, finish or are destroyed in the middle.
 */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ByteStream, TransportEvents } from "../../src/transport/transport.ts";
import { rounds, timeFor } from "../support/rounds.ts";
import { randomFor } from "../support/seed.ts";
import { eachCarrier } from "../support/transports.ts";
import { until } from "../support/until.ts";

class Dice {
  readonly #random: () => number;

  constructor(name: string) {
    this.#random = randomFor(name);
  }

  /** From 0 up to `sides`, without it. */
  roll(sides: number): number {
    return Math.floor(this.#random() * sides);
  }
}

const SIZES = [1, 100, 5000, 16_384, 16_385, 65_536, 65_537, 300_000, 2_000_000];

/** Writes until the dice say otherwise, and knows what it has handed over. */
class Writer implements TransportEvents {
  readonly #dice: Dice;
  transport: ByteStream | undefined;
  readonly written: Buffer[] = [];
  #isAwaiting = false;
  isClosed = false;
  how: "end" | "finish" | "destroy" | undefined;
  #hasEnded = false;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  onBytes(): void {
    if (this.#dice.roll(3) === 0) this.step();
  }

  onEnd(): void {
    if (!this.#hasEnded) this.transport?.end();
    this.#hasEnded = true;
  }

  onDrained(): void {
    this.#isAwaiting = false;
    this.step();
  }

  onClosed(): void {
    this.isClosed = true;
  }

  step(): void {
    if (this.#hasEnded || this.isClosed) return;
    const choice = this.#dice.roll(40);
    if (choice < 30) this.#write(this.#dice.roll(4) === 0);
    else if (choice < 32) this.transport?.pause();
    else if (choice < 36) this.transport?.resume();
    else if (choice === 36) this.#leave("end");
    else if (choice === 37) this.#leave("finish");
    else if (choice === 38) this.#leave("destroy");
  }

  #write(isPair: boolean): void {
    if (this.#isAwaiting) return;
    const chunk = this.#chunk();
    const second = isPair ? this.#chunk() : undefined;
    const isTaken = this.transport?.write(chunk, second) === true;
    // Kept from before the chunk is used again, which is allowed only when it was taken.
    this.written.push(Buffer.from(chunk), ...(second === undefined ? [] : [Buffer.from(second)]));
    if (isTaken) {
      chunk.fill("!");
      second?.fill("!");
    }
    this.#isAwaiting = !isTaken;
  }

  #chunk(): Buffer {
    const size = SIZES[this.#dice.roll(SIZES.length)] ?? 1;
    return Buffer.alloc(size, String.fromCharCode(97 + this.#dice.roll(26)));
  }

  #leave(how: "end" | "finish" | "destroy"): void {
    this.#hasEnded = true;
    this.how = how;
    this.transport?.[how]();
  }
}

async function converse(client: Socket, writer: Writer, dice: Dice): Promise<void> {
  const got: Buffer[] = [];
  let isCut = false;
  client.on("data", (chunk: Buffer) => got.push(chunk));
  client.on("end", () => client.end());
  client.on("error", () => {
    isCut = true;
  });
  for (let round = 0; round < 60 && !writer.isClosed; round += 1) {
    writer.step();
    const choice = dice.roll(20);
    if (choice === 0) client.pause();
    else if (choice < 5) client.resume();
    else if (choice < 8 && client.writable) client.write(Buffer.alloc(SIZES[dice.roll(6)] ?? 1));
    else if (choice === 8 && dice.roll(20) === 0) {
      client.destroy();
      isCut = true;
    }
    if (dice.roll(2) === 0) await turn();
  }
  client.resume();
  writer.transport?.resume();
  if (!writer.isClosed && !isCut) client.end();
  await until("it is closed", () => writer.isClosed || client.closed);
  writer.transport?.destroy();
  // After an end the client has everything to come, and closes by itself when it has read it.
  const isAllDue = writer.how === "end" && !isCut;
  await until(
    "both ends are closed",
    () => writer.isClosed && (client.closed || (!isAllDue && client.destroy().closed)),
  );
  const [sent, received] = [Buffer.concat(writer.written), Buffer.concat(got)];
  // Nothing is ever lost in the middle or exchanged; and nothing at all before an end.
  assert.ok(received.equals(sent.subarray(0, received.length)), "other bytes arrived than were written");
  if (isAllDue && !isCut) assert.equal(received.length, sent.length);
}

const CONNECTIONS = rounds(30, 2000);

for (const { kind, openPair } of eachCarrier()) {
  test(
    `Transport on a ${kind}: whatever is written in whatever order arrives in order`,
    timeFor(60_000, 1_200_000),
    async () => {
      for (let count = 0; count < CONNECTIONS; count += 6) {
        const group = Array.from({ length: 6 }, async (_, place) => {
          const dice = new Dice(`${kind} ${count + place}`);
          const { client, transport } = await openPair({ kind: "tcp", host: "127.0.0.1", port: 0 });
          const writer = new Writer(dice);
          writer.transport = transport;
          transport.start(writer, (fault) => assert.fail(String(fault)));
          await converse(client, writer, dice);
        });
        await Promise.all(group);
      }
    },
  );
}
