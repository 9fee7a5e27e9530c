/** What has come of a move's checkpoint to its target so far, and how fast it comes. */
import { existsSync, statfsSync } from "node:fs";
import type { EmptyDir, MoveRecord } from "../protocol.ts";
import { wasStarted } from "./detached.ts";
import type { Host } from "./host.ts";
import { allLanded, landedBytes } from "./landing.ts";
import { targetMoveOf } from "./layout.ts";
import { pageServerOf } from "./page-server.ts";

/** `gone`: there is no staging area any more. */
export function imagesOf(
  host: Host,
  moveUID: string,
  emptyDirs: readonly EmptyDir[],
): NonNullable<MoveRecord["images"]> {
  const move = targetMoveOf(moveUID);
  if (!existsSync(host.path(move.images))) return "gone";
  if (existsSync(host.path(move.imagesComplete)) && allLanded(host, moveUID, emptyDirs)) return "whole";
  return wasStarted(host, pageServerOf(moveUID)) || landedBytes(host, moveUID) > 0 ? "partial" : "none";
}

/** Bytes of memory and files that are here. */
export function arrivedBytes(host: Host, moveUID: string): number {
  const { bsize, blocks, bfree } = statfsSync(host.path(targetMoveOf(moveUID).staging));
  return bsize * (blocks - bfree) + landedBytes(host, moveUID);
}

const WINDOW_MS = 1_000;

/** Bytes per second over about the last second. */
export class RateMeter {
  #seen: { atMs: number; bytes: number }[] = [];

  /** Notes what is there now, and answers the rate up to now; 0 until it has been asked twice. */
  rate(atMs: number, bytes: number): number {
    // One that is older than the window stays, as its beginning.
    const beginning = this.#seen.findLastIndex((one) => atMs - one.atMs >= WINDOW_MS);
    this.#seen = [...this.#seen.slice(Math.max(0, beginning)), { atMs, bytes }];
    const [first = { atMs, bytes }] = this.#seen;
    return atMs > first.atMs ? Math.max(0, (1000 * (bytes - first.bytes)) / (atMs - first.atMs)) : 0;
  }
}
