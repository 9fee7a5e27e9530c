/** A value that must never be printed. */
import { inspect } from "node:util";

const HIDDEN = "[secret]";

/**
 * Wraps a token or password: whatever prints, logs or serialises it gets `[secret]`; only {@link reveal} gives the value.
 * @example new Secret(process.env.INFLUXDB_TOKEN ?? "").reveal()
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** For the one call that needs it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [Symbol.toPrimitive](): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }

  /** The text without the value, in case a library has put it into a message. */
  hideIn(text: string): string {
    if (this.#value === "") return text;
    const asJson = JSON.stringify(this.#value).slice(1, -1);
    return text.replaceAll(this.#value, HIDDEN).replaceAll(asJson, HIDDEN);
  }
}
