/** Container images as files: an OCI image layout in a tar, as `ctr images import` reads it. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "./command.ts";

/** The part of an image's configuration that says how to run it; member names as in the OCI specification. */
export interface ImageConfig {
  Entrypoint?: string[];
  Cmd?: string[];
  Env?: string[];
  User?: string;
  WorkingDir?: string;
  ExposedPorts?: Record<string, Record<string, never>>;
  Labels?: Record<string, string>;
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

const LAYER = "application/vnd.oci.image.layer.v1.tar";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** Tars a folder's content so that the same content gives the same bytes. */
export async function writeLayer(folder: string, file: string): Promise<void> {
  const stable = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=pax"];
  const noTimes = "--pax-option=delete=atime,delete=ctime";
  await run("tar", [...stable, noTimes, "-cf", file, "-C", folder, "."], { timeoutSeconds: 300 });
}

/** Writes `file`, an image called `name` of the given layers (tar files, the lowest first). */
export async function writeImage(name: string, layers: string[], config: ImageConfig, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const folder = await mkdtemp(`${file}.`);
  try {
    await mkdir(join(folder, "blobs/sha256"), { recursive: true });
    await writeLayout(folder, name, layers, config);
    await run("tar", ["-cf", `${file}.part`, "-C", folder, "."], { timeoutSeconds: 300 });
    await rename(`${file}.part`, file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeLayout(folder: string, name: string, layers: string[], config: ImageConfig): Promise<void> {
  const layerBlobs: Descriptor[] = [];
  for (const layer of layers) layerBlobs.push(await fileBlob(folder, layer));
  const configBlob = await jsonBlob(folder, CONFIG, {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: layerBlobs.map((blob) => blob.digest) },
  });
  const manifest = await jsonBlob(folder, MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: configBlob,
    layers: layerBlobs,
  });
  const named = { ...manifest, annotations: { "io.containerd.image.name": name } };
  await writeFile(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

async function fileBlob(folder: string, file: string): Promise<Descriptor> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  const digest = hash.digest("hex");
  await copyFile(file, join(folder, "blobs/sha256", digest));
  return { mediaType: LAYER, digest: `sha256:${digest}`, size: (await stat(file)).size };
}

async function jsonBlob(folder: string, mediaType: string, content: unknown): Promise<Descriptor> {
  const text = JSON.stringify(content);
  const digest = createHash("sha256").update(text).digest("hex");
  await writeFile(join(folder, "blobs/sha256", digest), text);
  return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
}
