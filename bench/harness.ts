/** A benchmark says what something costs as a ratio to a baseline that was measured in the same run on the same machine. */
export interface Benchmark {
  name: string
  /** One line for the list of benchmarks. */
  about: string
  run(context: Context): Promise<Row[]>
}

/** This machine has not what a benchmark needs; the message says what. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

export interface Context {
  /** A line for whoever waits; not part of the result. */
  say(line: string): void
  /** An empty folder that is removed after the run. */
  folder: string
  /** Owns what the benchmark opens; disposed when it ends, however it ends. */
  cleanup: AsyncDisposableStack
}

export type Unit = 'ms' | 'MB' | 'kB' | '%' | '/s' | 'clusters'

/** One figure. `value`, `baseline.value` and `goal` are in `unit`. */
export interface Row {
  what: string
  unit: Unit
  value: number
  baseline: { what: string; value: number }
  /** What issue and design ask for; for units where less is better. */
  goal?: number
  /** Samples behind the value. */
  n: number
}

/**
 * The value below which `share` (0 to 1) of the samples lie: nearest rank, so that it is always one of the samples. Throws
 * when there are none.
 */
export function percentile(samples: readonly number[], share: number): number {
  if (samples.length === 0) throw new Error('There is no percentile of no samples')
  const sorted = [...samples].sort((a, b) => a - b)
  const rank = Math.max(1, Math.ceil(share * sorted.length))
  return sorted[Math.min(rank, sorted.length) - 1] as number
}

/** How many times the baseline a row is; null where the baseline is nothing. */
export function ratio({ value, baseline }: Pick<Row, 'value' | 'baseline'>): number | null {
  return baseline.value > 0 ? value / baseline.value : null
}

/** The p50 and p99 of samples against those of a baseline; the goal is for the p50. */
export function percentileRows(
  what: string,
  unit: Unit,
  samples: readonly number[],
  baseline: { what: string; samples: readonly number[] },
  goal?: number,
): Row[] {
  return [0.5, 0.99].map((share) => ({
    what: `${what}, p${share * 100}`,
    unit,
    value: percentile(samples, share),
    baseline: { what: baseline.what, value: percentile(baseline.samples, share) },
    n: samples.length,
    ...(share === 0.5 && goal !== undefined ? { goal } : {}),
  }))
}

/** Runs `work` so often, one after the other, and gives what each took in ms. `work` may give its own figure instead. */
export async function sample(times: number, work: (index: number) => Promise<number | void> | number | void): Promise<number[]> {
  const samples: number[] = []
  for (let index = 0; index < times; index++) {
    const began = performance.now()
    const own = await work(index)
    samples.push(typeof own === 'number' ? own : performance.now() - began)
  }
  return samples
}

/** The rows as a table for people. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const { what, unit, value, baseline, n, goal } = row
    const times = ratio(row)
    return [
      what,
      `${round(value)} ${unit}`,
      baseline.what,
      `${round(baseline.value)} ${unit}`,
      times === null ? '-' : `${round(times)} x`,
      goal === undefined ? '' : `${value <= goal ? 'met' : 'MISSED'}: < ${plain(goal)} ${unit}`,
      String(n),
    ]
  })
  const lines = [['what', 'value', 'against', 'which takes', 'ratio', 'goal', 'n'], ...cells]
  const right = new Set([1, 3, 4, 6])
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  const text = (line: string[]) =>
    line
      .map((cell, column) => (right.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd()
  return lines.map(text).join('\n')
}

/** Three digits that mean something. */
export function round(value: number): string {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(digits, 3))
}

/** A goal as somebody would write it: whole numbers as they are, others rounded. */
function plain(goal: number): string {
  return Number.isInteger(goal) ? String(goal) : round(goal)
}
