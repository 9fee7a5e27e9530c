/**
 * A container's writable layer as it travels: a manifest of what is still there of the image's own files, and a tar of the
 * layer's files. The manifest replaces overlayfs's own notation (whiteout devices, opaque folders), which cannot be
 * written through a mounted overlay: what it doesn't name is removed from the target's root file system.
 */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { isMissing } from "./files.ts";

/** By folder of the writable layer ("" is the root): the names in it that come from the image and are still visible. */
export const layerManifestSchema = z.record(z.string(), z.array(z.string()));
export type LayerManifest = z.infer<typeof layerManifestSchema>;

export interface LayerListing {
  manifest: LayerManifest;
  /** Paths relative to the layer, folders before their contents, for the tar. Whiteouts are not among them. */
  entries: string[];
}

/**
 * Lists a writable layer. `upper` is the overlay's upperdir, `merged` the mounted overlay, both as the agent sees them.
 * A whiteout is a name in `upper` that isn't in `merged`.
 */
export function listLayer(upper: string, merged: string): LayerListing {
  const listing: LayerListing = { manifest: {}, entries: [] };
  listFolder(upper, merged, "", listing);
  return listing;
}

function listFolder(upper: string, merged: string, folder: string, listing: LayerListing): void {
  const visible = new Set(readdirSync(join(merged, folder)));
  const own = readdirSync(join(upper, folder), { withFileTypes: true }).filter((entry) => visible.has(entry.name));
  for (const entry of own) visible.delete(entry.name);
  listing.manifest[folder] = [...visible].sort();
  for (const entry of own) {
    const path = join(folder, entry.name);
    listing.entries.push(path);
    if (entry.isDirectory()) listFolder(upper, merged, path, listing);
  }
}

/**
 * Removes from `root`, a fresh copy of the same image, what the manifest doesn't name. Never follows a symbolic link: a
 * folder of the manifest that isn't a folder here is removed, and the tar brings it.
 */
export function removeDeleted(root: string, manifest: LayerManifest): void {
  removeFromFolder(root, "", manifest);
}

function removeFromFolder(root: string, folder: string, manifest: LayerManifest): void {
  const kept = new Set(manifest[folder] ?? []);
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (kept.has(entry.name)) continue;
    if (entry.isDirectory() && Object.hasOwn(manifest, path)) removeFromFolder(root, path, manifest);
    else removeTree(join(root, path));
  }
}

function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
