/**
 * Tables and lists of fields as plain text in columns. Pure.
 */
import { type Paint, printable, type Style } from "./output.ts";

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly style?: (row: Row) => Style | undefined;
}

const GAP = "  ";
const NONE = "-";

/** One line for each row, under a line of titles; an empty cell is a dash. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], paint: Paint): string {
  const cells = rows.map((row) => columns.map(({ text }) => printable(text(row)) || NONE));
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...cells.map((line) => line[at]?.length ?? 0)));
  const pad = (text: string, at: number): string => (at === columns.length - 1 ? text : text.padEnd(widths[at] ?? 0));
  const head = columns.map(({ title }, at) => paint("bold", pad(title, at)));
  const body = rows.map((row, line) =>
    columns.map(({ style }, at) => {
      const text = pad(cells[line]?.[at] ?? "", at);
      const how = style?.(row);
      return how === undefined ? text : paint(how, text);
    }),
  );
  return [head, ...body].map((line) => line.join(GAP).trimEnd()).join("\n");
}

/** `name  value` on each line; a field without a value is left out. */
export function fields(values: readonly (readonly [name: string, value: string | undefined])[], paint: Paint): string {
  const present = values.filter(([, value]) => value !== undefined && value !== "");
  const width = Math.max(0, ...present.map(([name]) => name.length));
  return present
    .map(([name, value]) => `${paint("dim", name.padEnd(width))}${GAP}${printable(value ?? "")}`)
    .join("\n");
}
