import type { Mutation } from './mutations.ts'
import type { Fields, Specimen } from './specimens/index.ts'

/** One request of a row. */
export interface Step {
  title: string
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Behind the collection's path. */
  path: string
  contentType?: string
  body?: unknown
  /** The body's resourceVersion: that of the object as it is then. */
  current?: boolean
}

/** What is done to one object of a kind, one thing after the other; its name is free before and after. */
export interface Row {
  title: string
  specimen: Specimen
  collection: string
  name: string
  steps: readonly Step[]
}

export const types = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** Each of the mutations by one of the methods, in turn, sent to `path` (with its query). */
export function singleSteps(before: Fields, picked: readonly Mutation[], path: string, chance: () => number): Step[] {
  return picked.map(({ title, body }, index): Step => {
    const patch = (type: keyof typeof types, patched: unknown, query = ''): Step => {
      return { title: `${type}${query} ${title}`, method: 'PATCH', path: path + query, contentType: types[type], body: patched }
    }
    const change = changeOf(before, body)
    switch (index % 6) {
      case 0:
      case 1:
        return { title: `update ${title}`, method: 'PUT', path, body, current: index % 6 === 0 }
      case 2:
        return patch('merge', mergeOf(body, change))
      case 3:
        return patch('json', jsonPatchOf(before, change, chance))
      case 4:
        return patch('strategic', mergeOf(body, change))
      default:
        return patch('apply', body, chance() < 0.5 ? '&force=true' : '')
    }
  })
}

/** Titles do not need the longest of values. */
export function shortened(step: Step): Step {
  return { ...step, title: step.title.replace(/x{20,}/, 'xxx...') }
}

interface Change {
  at: (string | number)[]
  /** Undefined: it is gone. */
  value: unknown
}

/** The one place at which two bodies differ. */
function changeOf(before: unknown, after: unknown, at: Change['at'] = []): Change {
  if (isFields(before) && isFields(after)) {
    const differing = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => !alike(before[key], after[key]))
    const [key] = differing
    if (key !== undefined && differing.length === 1) return changeOf(before[key], after[key], [...at, key])
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    const differing = before.flatMap((item, index) => (alike(item, after[index]) ? [] : [index]))
    const [index] = differing
    if (index !== undefined && differing.length === 1) return changeOf(before[index], after[index], [...at, index])
  }
  return { at, value: after }
}

/** A merge patch to that; lists are sent whole. */
function mergeOf(after: Fields, { at, value }: Change): unknown {
  const list = at.findIndex((step) => typeof step === 'number')
  const names = list < 0 ? at : at.slice(0, list)
  const last = list < 0 ? (value ?? null) : names.reduce<unknown>((inner, name) => (inner as Fields)[name], after)
  return names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), last)
}

function jsonPatchOf(before: Fields, { at, value }: Change, chance: () => number): unknown[] {
  const path = at.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  const old = at.reduce<unknown>((inner, step) => (inner as Fields | undefined)?.[step], before)
  const tested = chance() < 0.3 ? [{ op: 'test', path, value: old ?? null }] : []
  if (value === undefined) return [...tested, { op: 'remove', path }]
  return [...tested, { op: old === undefined || chance() < 0.3 ? 'add' : 'replace', path, value }]
}

function alike(a: unknown, b: unknown): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b))
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function shuffled<T>(items: readonly T[], chance: () => number): T[] {
  const mixed = [...items]
  for (let index = mixed.length - 1; index > 0; index--) {
    const other = Math.floor(chance() * (index + 1))
    const [item] = mixed.splice(other, 1)
    mixed.push(item as T)
  }
  return mixed
}

/** Chance that is the same for the same text. Source: mulberry32. */
export function chanceOf(text: string): () => number {
  let state = 7
  for (const character of text) state = (state * 31 + (character.codePointAt(0) ?? 0)) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
