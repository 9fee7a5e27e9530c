/**
 * Memory that processes share copy-on-write since one was forked from the other. CRIU dumps each process's pages; restoring, it gives a child those of its parent that
 * are equal, unless the pages come lazily: then each process would have its own.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { PROCESSES, pagemapOf } from "./definitions.ts";
import { readImage } from "./image-file.ts";

const PAGE_BYTES = 4096;
/** Of the memory, what may exist twice without harm. */
const NEGLIGIBLE = 0.05;

/** Addresses, from the first byte on up to the one after the last, in ascending order. */
export type Range = readonly [from: bigint, to: bigint];

/** Would the container need notably more memory if its processes shared none? */
export function isMemoryShared(folder: string): boolean {
  const processes = readImage(folder, PROCESSES);
  if (processes.length < 2) return false;
  const pages = new Map(processes.map(({ pid = 0 }) => [pid, rangesOf(folder, pid)]));
  const total = [...pages.values()].reduce((sum, ranges) => sum + sizeOf(ranges), 0);
  const shared = processes.reduce(
    (sum, { pid = 0, ppid = 0 }) => sum + sizeOf(common(pages.get(pid) ?? [], pages.get(ppid) ?? [])),
    0,
  );
  return shared > NEGLIGIBLE * (total - shared);
}

/** A process that has ended has no memory. The file's first entry is its head. */
function rangesOf(folder: string, pid: number): Range[] {
  const kind = pagemapOf(pid);
  if (!existsSync(join(folder, kind.name))) return [];
  return readImage(folder, kind)
    .slice(1)
    .map(({ vaddr = 0n, nr_pages, compat_nr_pages = 0 }) => [
      vaddr,
      vaddr + (nr_pages ?? BigInt(compat_nr_pages)) * BigInt(PAGE_BYTES),
    ]);
}

const sizeOf = (ranges: readonly Range[]): number => ranges.reduce((sum, [from, to]) => sum + Number(to - from), 0);

/** What is in both, each in ascending order. */
export function common(some: readonly Range[], others: readonly Range[]): Range[] {
  const found: Range[] = [];
  for (let one = 0, other = 0; one < some.length && other < others.length; ) {
    const [[from, to], [otherFrom, otherTo]] = [some[one] ?? [0n, 0n], others[other] ?? [0n, 0n]];
    const [first, last] = [from > otherFrom ? from : otherFrom, to < otherTo ? to : otherTo];
    if (first < last) found.push([first, last]);
    if (to < otherTo) one++;
    else other++;
  }
  return found;
}
