/**
 * The text that Prometheus reads. A sample without a value is left out, and so is a metric without samples. Pure.
 */
export interface Sample {
  /** Labels without a value are left out. */
  readonly labels: Readonly<Record<string, string | undefined>>;
  readonly value: number | undefined;
}

export interface Metric {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
}

export interface Family extends Metric {
  readonly samples: readonly Sample[];
}

export function expositionText(families: readonly Family[]): string {
  return families.map(familyText).join("");
}

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.flatMap(({ labels, value }) =>
    value === undefined ? [] : [`${name}{${labelsText(labels)}} ${numberText(value)}\n`],
  );
  return lines.length === 0 ? "" : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelsText(labels: Sample["labels"]): string {
  return Object.entries(labels)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${escaped(value)}"`]))
    .join(",");
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** Without the noise of division: 0.57 and not 0.5700000000000001. */
function numberText(value: number): string {
  return String(Number(value.toPrecision(15)));
}
