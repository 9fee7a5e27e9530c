import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { type Accept, Uploads } from "../../src/agent/uploads.ts";

const MIB = 1 << 20;
const chunk = Buffer.alloc(MIB);
const expected = { stagingBytes: 5 * MIB, filesBytes: 10 * MIB };

/** A body of so many MiB. */
const body = (size: number) => Readable.from(Array.from({ length: size }, () => chunk));
const readAll: Accept = async (whole) => {
  for await (const _chunk of whole);
};

describe("a move may bring", () => {
  test.each([
    ["images", 5],
    ["layer-manifest", 32],
    ["layer", 1_054],
  ])("%s of %i MiB, and no more", async (part, most) => {
    await new Uploads().take("move", part, body(most), expected, readAll);
    const more = new Uploads().take("move", part, body(most + 1), expected, readAll);
    await expect(more).rejects.toMatchObject({ reason: "NoRoom", retryable: false });
  });

  test("files of so many bytes over all its parts and tries, until it is cleaned up", async () => {
    const uploads = new Uploads();
    await uploads.take("move", "layer", body(600), expected, readAll);
    const again = () => uploads.take("move", "empty-dir data", body(600), expected, readAll);
    await expect(again()).rejects.toMatchObject({ reason: "NoRoom" });
    await uploads.take("other", "layer", body(600), expected, readAll);
    uploads.forget("move");
    await again();
  });
});

test("a body that breaks off is an error", async () => {
  const broken = new Readable({ read() {} });
  const taken = new Uploads().take("move", "layer", broken, expected, readAll);
  broken.push(chunk);
  broken.destroy(new Error("connection reset"));
  await expect(taken).rejects.toThrow("connection reset");
});

test("an upload that was ended is over when the end is told", async () => {
  const uploads = new Uploads();
  let over = false;
  const taken = uploads.take("move", "layer", new Readable({ read() {} }), expected, async (whole) => {
    await readAll(whole, AbortSignal.abort()).finally(() => {
      over = true;
    });
  });
  taken.catch(() => undefined);
  await new Promise(setImmediate);
  await uploads.end("move", "the move has ended here");
  expect(over).toBe(true);
  await expect(taken).rejects.toMatchObject({ reason: "WrongState", message: expect.stringMatching("has ended here") });
});
