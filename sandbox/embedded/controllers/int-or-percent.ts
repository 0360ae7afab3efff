/**
 * An int-or-string field against a total: a number as it is, "25%" of the total rounded up or down. An absent value is 0.
 * Throws on text that is no percentage, which validation keeps out.
 */
export function scaledValue(value: string | number | undefined, total: number, round: 'up' | 'down'): number {
  if (value === undefined) return 0
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(value)?.[1]
  if (percent === undefined) throw new Error(`invalid value for IntOrString: invalid type: string is not a percentage: ${value}`)
  const exact = (Number(percent) * total) / 100
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact)
}
