/**
 * Messages of CRIU's images, by definitions that are an allow-list: a message with a field that its definition doesn't name, twice or of another type is
 * refused by name. What is written back is what was understood, byte for byte if nothing was changed. The wire format: https://protobuf.dev/programming-guides/encoding
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** An image, or a part of one, that isn't as CRIU would write it, or that holds what is not carried. */
export class ImageError extends Error {}

interface Type<T> {
  wire: WireType;
  read(reader: BinaryReader): T;
  write(writer: BinaryWriter, value: T): unknown;
}

interface Field<T> {
  number: number;
  isRepeated: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: a field's own type is kept in T
  type: Type<any>;
  value?: T;
}

type Fields = Record<string, Field<unknown>>;
export type Message<F extends Fields> = { [K in keyof F]?: F[K] extends Field<infer T> ? T : never };
export type MessageOf<D> = D extends Definition<infer F> ? Message<F> : never;

export const uint32: Type<number> = {
  wire: WireType.Varint,
  read: (reader) => reader.uint32(),
  write: (writer, value) => writer.uint32(value),
};
export const int32: Type<number> = {
  wire: WireType.Varint,
  read: (reader) => reader.int32(),
  write: (writer, value) => writer.int32(value),
};
export const sint32: Type<number> = {
  wire: WireType.Varint,
  read: (reader) => reader.sint32(),
  write: (writer, value) => writer.sint32(value),
};
export const uint64: Type<bigint> = {
  wire: WireType.Varint,
  read: (reader) => BigInt(reader.uint64()),
  write: (writer, value) => writer.uint64(value),
};
export const fixed64: Type<bigint> = {
  wire: WireType.Bit64,
  read: (reader) => BigInt(reader.fixed64()),
  write: (writer, value) => writer.fixed64(value),
};
export const bool: Type<boolean> = {
  wire: WireType.Varint,
  read: (reader) => reader.bool(),
  write: (writer, value) => writer.bool(value),
};
export const bytes: Type<Uint8Array> = {
  wire: WireType.LengthDelimited,
  read: (reader) => new Uint8Array(reader.bytes()),
  write: (writer, value) => writer.bytes(value),
};
/** One character for each byte, as names of files need not be UTF-8: see `toText`. */
export const text: Type<string> = {
  wire: WireType.LengthDelimited,
  read: (reader) => Buffer.from(reader.bytes()).toString("latin1"),
  write: (writer, value) => writer.bytes(Buffer.from(value, "latin1")),
};

/** From the characters of an image's text to those of this program, and back. */
export const toText = (value: string): string => Buffer.from(value, "latin1").toString("utf8");
export const fromText = (value: string): string => Buffer.from(value, "utf8").toString("latin1");

export const one = <T>(number: number, type: Type<T>): Field<T> => ({ number, isRepeated: false, type });
export const many = <T>(number: number, type: Type<T>): Field<T[]> => ({ number, isRepeated: true, type });

export class Definition<F extends Fields> implements Type<Message<F>> {
  readonly wire = WireType.LengthDelimited;
  readonly name: string;
  readonly #fields: F;
  readonly #names: ReadonlyMap<number, string>;

  /** @param name as in CRIU's definitions */
  constructor(name: string, fields: F) {
    this.name = name;
    this.#fields = fields;
    this.#names = new Map(Object.entries(fields).map(([key, { number }]) => [number, key]));
  }

  read(reader: BinaryReader): Message<F> {
    return this.decode(reader.bytes());
  }

  write(writer: BinaryWriter, message: Message<F>): void {
    writer.bytes(this.encode(message));
  }

  /** Throws an ImageError. */
  decode(content: Uint8Array): Message<F> {
    const reader = new BinaryReader(content);
    const message: Record<string, unknown> = {};
    try {
      while (reader.pos < reader.len) this.#readField(reader, message);
    } catch (error) {
      if (error instanceof ImageError) throw error;
      throw new ImageError(`${this.name} is damaged: ${error instanceof Error ? error.message : String(error)}`);
    }
    return message as Message<F>;
  }

  encode(message: Message<F>): Uint8Array {
    const writer = new BinaryWriter();
    for (const name of this.#names.values()) {
      const field = this.#fields[name];
      const value = message[name];
      if (field === undefined || value === undefined) continue;
      const values: readonly unknown[] = field.isRepeated ? (value as unknown[]) : [value];
      for (const each of values) field.type.write(writer.tag(field.number, field.type.wire), each);
    }
    return writer.finish();
  }

  #readField(reader: BinaryReader, message: Record<string, unknown>): void {
    const [number, wire] = reader.tag();
    const name = this.#names.get(number);
    const field = name === undefined ? undefined : this.#fields[name];
    if (name === undefined || field === undefined) throw new ImageError(`${this.name} has an unknown field ${number}`);
    if (wire !== field.type.wire) throw new ImageError(`${this.name}.${name} is of type ${wire}`);
    const value: unknown = field.type.read(reader);
    const before = message[name];
    if (field.isRepeated) {
      const values = (before ?? []) as unknown[];
      values.push(value);
      message[name] = values;
    } else if (before === undefined) message[name] = value;
    else throw new ImageError(`${this.name}.${name} is there twice`);
  }
}
