/** Colours a cell that has already been padded; `row` 0 is the first below the header, -1 the header. */
export type Paint = (padded: string, row: number, column: number) => string;

/** Columns as wide as their widest cell, three blanks apart. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  paint: Paint = (padded) => padded,
): string {
  const widths = header.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), title.length),
  );
  // The last cell of a line is not padded: no line ends in blanks.
  const line = (cells: readonly string[], row: number) => {
    const last = cells.findLastIndex((cell) => cell !== "");
    const shown = cells.slice(0, last + 1);
    return shown
      .map((cell, column) => paint(column === last ? cell : cell.padEnd(widths[column] ?? 0), row, column))
      .join("   ");
  };
  return [header, ...rows].map((cells, index) => line(cells, index - 1)).join("\n");
}
