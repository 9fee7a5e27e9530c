/** A comparison as CSV: one row for each variant, seed and score, after a header. */
import type { Comparison } from "../comparing/comparison.ts";

const HEADER = ["variant", "role", "policy", "seed", "score", "unit", "value"];

/** Swept options are columns of their own, by path. Empty: not defined for that run. */
export function renderCsv({ variants, seeds, scores, sweeps }: Comparison): string {
  const paths = [...new Set(sweeps.map(({ path }) => path))];
  const rows = variants.flatMap(({ name, role, policy, parameters, scores: results }) => {
    const points = paths.map((path) => parameters.find((parameter) => parameter.path === path)?.value ?? "");
    return seeds.flatMap((seed, index) =>
      scores.map((score) => {
        const value = results[score.name]?.perSeed[index] ?? "";
        return [name, role, policy, ...points, String(seed), score.name, score.unit, String(value)];
      }),
    );
  });
  const [variant = "", role = "", policy = "", ...rest] = HEADER;
  return [[variant, role, policy, ...paths, ...rest], ...rows].map((row) => `${row.map(field).join(",")}\n`).join("");
}

/** RFC 4180. */
function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
