/** CRIU's small images on the wire: a JSON line that names them and their sizes, then their contents one after the other. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const headerSchema = z.array(
  z.object({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/), size: z.int().nonnegative() }),
);

/** Reads every file of a folder into one body. */
export function bundleImages(directory: string): Buffer {
  const names = readdirSync(directory);
  const contents = names.map((name) => readFileSync(join(directory, name)));
  const header = names.map((name, index) => ({ name, size: contents[index]?.length ?? 0 }));
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...contents]);
}

/** Writes the files of a body into a folder. Throws when the body is cut short or names a path. */
export function unbundleImages(directory: string, body: Buffer): void {
  const end = body.indexOf("\n");
  const header = headerSchema.parse(JSON.parse(body.subarray(0, end).toString("utf8")));
  let offset = end + 1;
  for (const { name, size } of header) {
    if (offset + size > body.length) throw new Error(`${name} is cut short`);
    writeFileSync(join(directory, name), body.subarray(offset, offset + size), { mode: 0o600 });
    offset += size;
  }
}
