/**
 * Settings from flags and the environment: described once, for `--help`, for reading and for the messages about what is
 * wrong. A flag wins over the environment, the environment over `.env`, all over the default.
 */
import { Secret } from "./secret.ts";

export interface Setting<T> {
  /** In capitals: INFLUXDB_URL. */
  readonly env: string;
  /** As commander takes it: "--http-port <port>". Absent: by the environment alone (secrets do not belong on a command line). */
  readonly flag?: string;
  readonly description: string;
  readonly fallback?: T;
  /** Throws an Error that says what is expected: "must be a port, 0 to 65535". */
  parse(text: string): T;
}

type Values<S> = {
  [K in keyof S]: S[K] extends Setting<infer T> ? (S[K] extends { fallback: T } ? T : T | undefined) : never;
};

export interface Given {
  /** By property name, as commander hands them over. */
  flags: Record<string, unknown>;
  env: Record<string, string | undefined>;
}

/** One line per setting that is wrong. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** Reads all settings, or throws one {@link SettingsError} with a line for each that is wrong. */
export function readSettings<S extends Record<string, Setting<unknown>>>(settings: S, given: Given): Values<S> {
  const wrong: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    try {
      values[name] = readOne(setting, given);
    } catch (error) {
      wrong.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (wrong.length > 0) throw new SettingsError(wrong.join("\n"));
  // Each value was read by the setting of its own name.
  return values as Values<S>;
}

function readOne(setting: Setting<unknown>, given: Given): unknown {
  const property = setting.flag ? flagProperty(setting.flag) : undefined;
  const flag = property === undefined ? undefined : given.flags[property];
  const [text, source] =
    typeof flag === "string" ? [flag, flagName(setting.flag)] : [given.env[setting.env], setting.env];
  if (text === undefined || text === "") return setting.fallback;
  try {
    return setting.parse(text.trim());
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${source}: ${words}`, { cause });
  }
}

function flagName(flag: string | undefined): string {
  return flag?.split(/[ ,]/)[0] ?? "";
}

/** "--http-port <port>" → httpPort, as commander names it. */
export function flagProperty(flag: string): string {
  return flagName(flag)
    .replace(/^--/, "")
    .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

type Described = { env: string; flag?: string; description: string };

/** @example text({ env: "INFLUXDB_ORG", description: "…" }) */
export function text(described: Described): Setting<string> {
  return { ...described, parse: (given) => given };
}

export function textOr<const F extends string>(
  described: Described,
  fallback: F,
): Setting<string> & { fallback: string } {
  return { ...described, fallback, parse: (given) => given };
}

export function secret(described: Omit<Described, "flag">): Setting<Secret> {
  return { ...described, parse: (given) => new Secret(given) };
}

export function url(described: Described): Setting<string> {
  return {
    ...described,
    parse(given) {
      const parsed = URL.canParse(given) ? new URL(given) : undefined;
      if (!parsed || !["http:", "https:"].includes(parsed.protocol)) {
        throw new Error("must be a URL such as http://influxdb:8086");
      }
      if (parsed.username || parsed.password) throw new Error("must not hold a user name or password");
      return given.replace(/\/+$/, "");
    },
  };
}

export function integerOr(
  described: Described,
  fallback: number,
  range: { min: number; max: number },
): Setting<number> & { fallback: number } {
  return {
    ...described,
    fallback,
    parse(given) {
      const value = Number(given);
      const inside = /^\d+$/.test(given) && value >= range.min && value <= range.max;
      if (!inside) throw new Error(`must be a whole number from ${range.min} to ${range.max}, not "${given}"`);
      return value;
    },
  };
}

export function switchOr(described: Described, fallback: boolean): Setting<boolean> & { fallback: boolean } {
  return {
    ...described,
    fallback,
    parse(given) {
      if (given !== "true" && given !== "false") throw new Error(`must be true or false, not "${given}"`);
      return given === "true";
    },
  };
}

export function oneOf<const C extends readonly string[]>(
  described: Described,
  choices: C,
  fallback: C[number],
): Setting<C[number]> & { fallback: C[number] } {
  return {
    ...described,
    fallback,
    parse(given) {
      const found = choices.find((choice) => choice === given);
      if (found === undefined) throw new Error(`must be one of ${choices.join(", ")}, not "${given}"`);
      return found;
    },
  };
}
