import type { PodSpec } from '../schema/types/core.v1.ts'
import { goShape } from './go-shape.ts'

/** The unified diff that the API server shows for a refused change of a pod: Go's fields, unset ones as null. */
export function podSpecDiff(before: PodSpec, after: PodSpec): string {
  return specDiff(before, after, 'core.v1.PodSpec')
}

/** The same for another type of spec. */
export function specDiff(before: unknown, after: unknown, type: string): string {
  const lines = (spec: unknown) => JSON.stringify(goShape(spec, type), undefined, 1).split('\n')
  return unifiedDiff(lines(before), lines(after))
}

/** Hunks with three lines of context, without file names. */
function unifiedDiff(a: string[], b: string[]): string {
  let start = 0
  while (start < a.length && a[start] === b[start]) start += 1
  let end = 0
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1
  const edits = longestCommon(a.slice(start, a.length - end), b.slice(start, b.length - end))
  const all = [...a.slice(0, start).map((text) => ` ${text}`), ...edits, ...a.slice(a.length - end).map((text) => ` ${text}`)]
  return hunks(all)
}

function longestCommon(a: string[], b: string[]): string[] {
  const table = Array.from({ length: a.length + 1 }, () => new Int32Array(b.length + 1))
  const at = (i: number, j: number) => table[i]?.[j] ?? 0
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) table[i]![j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  }
  const result: string[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      result.push(` ${a[i]}`)
      i += 1
      j += 1
    } else if (i < a.length && (j >= b.length || at(i + 1, j) >= at(i, j + 1))) result.push(`-${a[i++]}`)
    else result.push(`+${b[j++]}`)
  }
  return result
}

function hunks(all: string[]): string {
  const near = all.map((_, index) => all.slice(Math.max(0, index - 3), index + 4).some((text) => !text.startsWith(' ')))
  let text = ''
  let [left, right] = [1, 1]
  for (let index = 0; index < all.length; ) {
    if (!near[index]) {
      index += 1
      left += 1
      right += 1
      continue
    }
    const stop = near.indexOf(false, index)
    const part = all.slice(index, stop < 0 ? all.length : stop)
    const removed = part.filter((line) => !line.startsWith('+')).length
    const added = part.filter((line) => !line.startsWith('-')).length
    text += `@@ -${left},${removed} +${right},${added} @@\n${part.join('\n')}\n`
    left += removed
    right += added
    index += part.length
  }
  return text
}
