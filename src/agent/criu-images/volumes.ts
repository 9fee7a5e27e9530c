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
  const places = volumes.map(({ destination, folder }) => ({
    base: `${fromText(destination).replace(/\/$/, "")}/`,
    folder,
  }));
  return files.map((file) => {
    const name = file.reg?.name;
    const place = name === undefined ? undefined : places.find(({ base }) => name.startsWith(base));
    if (name === undefined || place === undefined) return file;
    const rest = name.slice(place.base.length).replace(DATED, place.folder);
    return { ...file, reg: { ...file.reg, name: place.base + rest } };
  });
}
