/**
 * Files of simulated containers, as path → content. Each `create` gets a root of its own from the image; emptyDirs belong to the pod. A
 * process writes its diary everywhere all the time, and removes one of the image's files: so old, lost and resurrected files show.
 */
export type Files = Map<string, string>;

export interface MountedFiles {
  /** The container's own: gone with it. */
  root: Files;
  /** The pod's emptyDirs, by volume name. */
  volumes: ReadonlyMap<string, Files>;
}

const DIARY = "/diary";
const SEED = "/image/seed";

/** A root as the image has it. */
export const imageRoot = (): Files =>
  new Map([
    ["/image/program", "1"],
    [SEED, "1"],
  ]);

/** What a process has written to its files when it had done so much work. */
export function writeDiary({ root, volumes }: MountedFiles, workMs: number): void {
  root.delete(SEED);
  for (const files of [root, ...volumes.values()]) files.set(DIARY, String(workMs));
}

/** Sentences about files that are not as the process left them. */
export function amiss({ root, volumes }: MountedFiles, workMs: number): string[] {
  const places: [string, Files][] = [["its own", root], ...volumes];
  const wrong = places.flatMap(([place, files]) => {
    const found = files.get(DIARY);
    return found === String(workMs) ? [] : [`${place} files: found work ${found ?? "lost"}, had written ${workMs}`];
  });
  return root.has(SEED) ? [...wrong, "a file that was deleted is back"] : wrong;
}

/** In place: what is there becomes what is given. */
export function replaceFiles(files: Files, wanted: Iterable<readonly [string, string]>): void {
  files.clear();
  for (const [path, content] of wanted) files.set(path, content);
}
