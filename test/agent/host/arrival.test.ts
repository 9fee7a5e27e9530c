import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { imagesOf, RateMeter } from "../../../src/agent/host/arrival.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { expectedFiles } from "../../../src/agent/host/landing.ts";
import { targetMoveOf } from "../../../src/agent/host/layout.ts";
import { pageServerOf } from "../../../src/agent/host/page-server.ts";

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const VOLUMES = [{ name: "cache", memory: false }];
const move = targetMoveOf(MOVE);
const { listing, layer, emptyDirs } = expectedFiles(MOVE, VOLUMES);
const files = [listing, layer, ...emptyDirs.map(({ file }) => file)];
const staged = join(move.images, "mark");

let root: string;
let host: Host;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "node-"));
  host = { path: (path) => join(root, path), command: () => ({ file: "true", args: [] }), environment: () => ({}) };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("of a checkpoint", () => {
  test.each<[string, string, string[]]>([
    ["nothing has come while its staging area is empty", "none", [staged]],
    ["a part has come with its first pages", "partial", [staged, `${pageServerOf(MOVE)}.pid`]],
    ["a part has come with a piece of a file", "partial", [staged, `${layer}.new`]],
    ["a part has come while a volume is missing", "partial", [staged, listing, layer, move.imagesComplete]],
    ["a part has come while the images are missing", "partial", [staged, ...files]],
    ["all has come with images and files", "whole", [staged, ...files, move.imagesComplete]],
    ["nothing is left after a reboot but what is on the disk", "gone", [listing, layer]],
  ])("%s: %s", (_what, expected, there) => {
    for (const path of there) {
      mkdirSync(dirname(host.path(path)), { recursive: true });
      writeFileSync(host.path(path), "x");
    }
    expect(imagesOf(host, MOVE, VOLUMES)).toBe(expected);
  });
});

describe("a rate", () => {
  const ratesOf = (...seen: [atMs: number, bytes: number][]) => {
    const meter = new RateMeter();
    return seen.map(([atMs, bytes]) => meter.rate(atMs, bytes));
  };

  test("is not known at first", () => {
    expect(ratesOf([5, 1000])).toEqual([0]);
  });

  test("is that since the beginning during the first second", () => {
    expect(ratesOf([0, 0], [500, 100], [1000, 400])).toEqual([0, 200, 400]);
  });

  test("is that of about the last second from then on, however often it is asked", () => {
    const seen = Array.from({ length: 31 }, (_, n): [number, number] => [100 * n, n <= 20 ? 100 * n : 2000]);
    const rates = ratesOf(...seen);
    expect([rates[20], rates[25], rates[30]]).toEqual([1000, 500, 0]);
  });

  test("is never below zero, as when staged files are moved on", () => {
    expect(ratesOf([0, 1000], [500, 0])).toEqual([0, 0]);
  });
});
