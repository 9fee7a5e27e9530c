/**
 * Mends in CRIU's images what would stop a program's timer: of a periodic timerfd that has expired and was not read, the kernel shows no time that is left, and
 * CRIU restores it disarmed (https://github.com/checkpoint-restore/criu/issues/3162). Such a timer is given a nanosecond, so that it expires
 * at once and goes on. Formats: CRIU's images/fdinfo.proto and images/timerfd.proto.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILES_IMAGE = "files.img";
const MAGICS = [0x54564319, 0x56303138]; // of all images, of this one
const TIMERFD_FIELD = 12;
/** Of a timerfd_entry. The second is what is mended: nanoseconds left. */
const [TICKS, VALUE_S, VALUE_NS, INTERVAL_S, INTERVAL_NS] = [5, 7, 8, 9, 10];

/** @returns how many timers were mended. A file that isn't understood is left as it is: CRIU will say what is wrong with it. */
export function rearmTimers(images: string): number {
  const path = join(images, FILES_IMAGE);
  if (!existsSync(path)) return 0;
  const image = readFileSync(path);
  const places = expiredTimers(image);
  for (const place of places) image[place] = 1;
  if (places.length > 0) writeFileSync(path, image);
  return places.length;
}

/** Where in files.img the nanoseconds of each such timer are: a single byte, 0. */
function expiredTimers(image: Buffer): number[] {
  if (image.length < 8 || MAGICS.some((magic, index) => image.readUInt32LE(4 * index) !== magic)) return [];
  const places: number[] = [];
  for (let at = 8; at + 4 <= image.length; ) {
    const end = at + 4 + image.readUInt32LE(at);
    const fields = fieldsOf(image, at + 4, end);
    const timer = fields?.get(TIMERFD_FIELD);
    const place = timer && expiredTimer(image, timer);
    if (place !== undefined) places.push(place);
    at = end;
  }
  return places;
}

function expiredTimer(image: Buffer, { start, end }: Field): number | undefined {
  const fields = fieldsOf(image, start, end);
  const left = fields?.get(VALUE_NS);
  if (fields === undefined || left === undefined || left.end - left.start !== 1) return undefined;
  const isSet = (field: number): boolean => {
    const { start: from, end: to } = fields.get(field) ?? left;
    return !image.subarray(from, to).every(isEmpty);
  };
  const isPeriodic = isSet(INTERVAL_S) || isSet(INTERVAL_NS);
  return isPeriodic && isSet(TICKS) && !isSet(VALUE_S) && !isSet(VALUE_NS) ? left.start : undefined;
}

/** The low seven bits of a varint's bytes are its value. */
const isEmpty = (byte: number): boolean => (byte & 0x7f) === 0;

/** Where a field's value is. */
interface Field {
  start: number;
  end: number;
}

/** The fields of a protobuf message by their numbers; undefined: it is none, or has fields of a type that CRIU doesn't use. */
function fieldsOf(image: Buffer, start: number, end: number): Map<number, Field> | undefined {
  const fields = new Map<number, Field>();
  for (let at = start; at < end; ) {
    const key = varint(image, at, end);
    if (key === undefined) return undefined;
    const value = fieldAt(image, key.end, end, key.value & 7);
    if (value === undefined || value.end > end) return undefined;
    fields.set(key.value >>> 3, value);
    at = value.end;
  }
  return fields;
}

function fieldAt(image: Buffer, at: number, end: number, type: number): Field | undefined {
  const number = type === 0 || type === 2 ? varint(image, at, end) : undefined;
  if (type === 0) return number && { start: at, end: number.end };
  if (type === 2) return number && { start: number.end, end: number.end + number.value };
  const width = { 1: 8, 5: 4 }[type];
  return width === undefined ? undefined : { start: at, end: at + width };
}

/** `value` is exact up to 2^53, which lengths and keys are far below. */
function varint(image: Buffer, start: number, end: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let at = start; at < Math.min(end, start + 10); at++) {
    const byte = image[at] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * (at - start));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return undefined;
}
