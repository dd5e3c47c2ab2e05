/** A value of a cell; numbers are shown with as many digits as they are worth. */
export type Cell = string | number | undefined;

/**
 * A Markdown table that also reads well on a terminal: columns are padded, numbers stand to the right.
 *
 * @param rows cells by column; undefined shows as "–"
 */
export function formatTable(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => columns.map((_, index) => formatCell(row[index])));
  const widths = columns.map((name, index) =>
    Math.max(name.length, 3, ...texts.map((row) => row[index]!.length)),
  );
  const isNumeric = columns.map((_, index) => rows.every((row) => typeof row[index] !== "string"));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, index) => (isNumeric[index] ? text.padStart(widths[index]!) : text.padEnd(widths[index]!))).join(" | ")} |`;
  const rule = `|${widths.map((width, index) => (isNumeric[index] ? `${"-".repeat(width + 1)}:` : "-".repeat(width + 2))).join("|")}|`;
  return [line(columns), rule, ...texts.map(line)].join("\n");
}

function formatCell(cell: Cell): string {
  if (cell === undefined) return "–";
  if (typeof cell === "string") return cell;
  if (!Number.isFinite(cell)) return "–";
  if (Number.isInteger(cell)) return cell.toLocaleString("en-US");
  return cell >= 1000 ? Math.round(cell).toLocaleString("en-US") : cell.toPrecision(3);
}

/** The middle value; of an even number the mean of the two. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A number cut to so many decimal places, for JSON. */
export function rounded(value: number, places: number): number {
  return Number(value.toFixed(places));
}
