/**
 * Files of configMap, secret, projected and downwardAPI volumes. The kubelet writes each version of such a volume into a folder of its own, named after
 * the time, and a program that has a file of it open has it by that folder's name, which is another one on another node. Pure.
 */
import type { FileEntry } from "./definitions.ts";
import { fromText } from "./message.ts";

/** A folder of a container that such a volume is mounted at. */
export interface DatedVolume {
  /** In the container. */
  destination: string;
  /** Name of the folder that holds its files now. */
  folder: string;
}

/** As the kubelet's atomic writer names its folders. */
const DATED = /^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\d+(?=\/|$)/;

export function withVolumePaths(files: readonly FileEntry[], volumes: readonly DatedVolume[]): FileEntry[] {
  const longestFirst = [...volumes].sort((one, other) => other.destination.length - one.destination.length);
  const places = longestFirst.map(({ destination, folder }) => ({
    base: `${fromText(destination).replace(/\/$/, "")}/`,
    folder,
  }));
  const pathHere = (path: string): string => {
    const place = places.find(({ base }) => path.startsWith(base));
    return place === undefined ? path : place.base + path.slice(place.base.length).replace(DATED, place.folder);
  };
  return files.map((file) => {
    const { reg, ify } = file;
    if (reg?.name !== undefined) return { ...file, reg: { ...reg, name: pathHere(reg.name) } };
    if (ify?.wd === undefined) return file;
    const wd = ify.wd.map((watch) => {
      const path = watch.f_handle?.path;
      return path === undefined ? watch : { ...watch, f_handle: { ...watch.f_handle, path: pathHere(path) } };
    });
    return { ...file, ify: { ...ify, wd } };
  });
}
