import type { KubeObject } from '../machinery/object.ts'
import type { Container } from '../schema/types/core.v1.ts'
import type { LabelSelector } from '../schema/types/meta.v1.ts'

export type Cell = string | number | boolean | null

/** How long ago a time was, as kubectl writes it; `<unknown>` for none. */
export type Age = (time: string | undefined | null) => string

/** A printer for the kind that its path names in the tables of printers. */
export type CellsOf = (object: never, age: Age) => Cell[]

export function ageAt(now: number): Age {
  return (time) => (time ? humanDuration(now - Date.parse(time)) : '<unknown>')
}

/** A duration in ms in at most two units (k8s.io/apimachinery/pkg/util/duration): 45s, 3m20s, 5d4h, 2y30d. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(seconds / 3600)
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 24 * 8) return two(days, 'd', hours % 24, 'h')
  if (hours < 24 * 365 * 2) return `${days}d`
  const years = Math.floor(hours / 24 / 365)
  if (hours < 24 * 365 * 8) return two(years, 'y', days % 365, 'd')
  return `${years}y`
}

export function containerCells(containers: readonly Container[] | undefined): [string, string] {
  const list = containers ?? []
  return [list.map(({ name }) => name).join(','), list.map(({ image }) => image ?? '').join(',')]
}

export function labelsText(labels: Record<string, string> | undefined | null): string {
  const text = Object.entries(labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  return text || '<none>'
}

export function selectorText(selector: LabelSelector | undefined | null): string {
  if (!selector) return '<none>'
  const parts = [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => [key, `${key}=${value}`] as const),
    ...(selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
      if (operator === 'Exists') return [key, key] as const
      if (operator === 'DoesNotExist') return [key, `!${key}`] as const
      return [key, `${key} ${operator.toLowerCase()} (${[...values].sort().join(',')})`] as const
    }),
  ]
  const text = parts
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, part]) => part)
    .join(',')
  return text || '<none>'
}

/** The first three, and how many more there are. */
export function upToThree(list: readonly string[], total = list.length): string {
  const text = list.slice(0, 3).join(',')
  return total > 3 ? `${text} + ${total - 3} more...` : text
}

export function orNone(value: string | undefined | null, none = '<none>'): string {
  return value || none
}

export function nameOf({ metadata }: KubeObject): string {
  return metadata.name ?? ''
}

function two(first: number, unit: string, rest: number, smaller: string): string {
  return rest === 0 ? `${first}${unit}` : `${first}${unit}${rest}${smaller}`
}
