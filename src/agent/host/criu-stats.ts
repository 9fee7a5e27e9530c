/** How many pages a dump wrote, out of CRIU's stats-dump image (a protobuf message behind two magic numbers). Pure. */

const HEADER_BYTES = 12;
const DUMP_ENTRY = 1;
const PAGES_WRITTEN = 7;

/** Pages written; undefined when the image isn't one that this understands. */
export function pagesWritten(image: Uint8Array): number | undefined {
  const entry = fieldsOf(image.subarray(HEADER_BYTES)).get(DUMP_ENTRY);
  if (!(entry instanceof Uint8Array)) return undefined;
  const pages = fieldsOf(entry).get(PAGES_WRITTEN);
  return typeof pages === "number" ? pages : undefined;
}

/** A message's fields by number: varints and length-delimited ones; stops at anything else. */
function fieldsOf(message: Uint8Array): Map<number, number | Uint8Array> {
  const fields = new Map<number, number | Uint8Array>();
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[offset++] ?? 0;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (offset < message.length) {
    const key = varint();
    if ((key & 7) === 0) fields.set(key >> 3, varint());
    else if ((key & 7) === 2) {
      const length = varint();
      fields.set(key >> 3, message.subarray(offset, offset + length));
      offset += length;
    } else break;
  }
  return fields;
}
