const units: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86400 }

/** What arguments of sleep mean together, ms; the argument itself where one is no duration. */
export function sleepDuration(args: readonly string[]): number | { invalid: string } {
  let total = 0
  for (const arg of args) {
    const match = /^(?:(\d+(?:\.\d*)?|\.\d+)([smhd]?)|inf(?:inity)?)$/.exec(arg)
    if (!match) return { invalid: arg }
    total += match[1] === undefined ? Number.POSITIVE_INFINITY : Number(match[1]) * 1000 * (units[match[2] ?? ''] as number)
  }
  return total
}
