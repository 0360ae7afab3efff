import { freezeSharing } from '../machinery/freeze.ts'
import { Answers } from '../machinery/remembering.ts'

/**
 * A set of fields as metadata.managedFields writes it (fieldsV1): a tree whose keys are path elements
 * ('f:spec', 'k:{"name":"web"}', 'v:"x"'), each with whether the field itself belongs to the set. Nobody changes one that is done.
 * Source: sigs.k8s.io/structured-merge-diff fieldpath.
 */
export interface FieldSet {
  member: boolean
  children: Map<string, FieldSet>
}

export type FieldPath = readonly string[]

export function emptySet(): FieldSet {
  return { member: false, children: new Map() }
}

/** The set of a child, made where there is none. */
export function childOf(set: FieldSet, element: string): FieldSet {
  let child = set.children.get(element)
  if (!child) set.children.set(element, (child = emptySet()))
  return child
}

export function fromFieldsV1(fields: Record<string, unknown> | undefined): FieldSet {
  const known = fields && read.get(fields)
  if (known) return known
  const set = setOf(fields)
  if (fields && Object.isFrozen(fields)) read.set(fields, set)
  return set
}

/** Frozen to the bottom: objects that are written in the same way share it. */
export function toFieldsV1(set: FieldSet): Record<string, unknown> {
  const text = textOf(set)
  const known = written.get(text)
  if (known) return known
  const fields = freezeSharing(fieldsOf(set))
  written.set(text, fields)
  return fields
}

/** What the sets that came up lately are written as, and what was read of what is written. */
const written = new Answers<string, Record<string, unknown>>(256)
const read = new Answers<Record<string, unknown>, FieldSet>(256)

function setOf(fields: Record<string, unknown> | undefined): FieldSet {
  const set = emptySet()
  for (const [element, inner] of Object.entries(fields ?? {})) {
    if (element === '.') set.member = true
    else {
      const child = setOf(inner as Record<string, unknown>)
      if (child.children.size === 0) child.member = true
      set.children.set(element, child)
    }
  }
  return set
}

function fieldsOf(set: FieldSet): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  if (set.children.size === 0) return fields
  if (set.member) fields['.'] = {}
  // an element begins with its kind (f:, k:), so that none is called __proto__
  for (const element of [...set.children.keys()].sort()) fields[element] = fieldsOf(set.children.get(element) as FieldSet)
  return fields
}

/** The same for no two sets that are written differently. */
function textOf({ member, children }: FieldSet): string {
  let text = member ? '.' : ''
  for (const [element, child] of children) text += `${element.length}:${element}(${textOf(child)})`
  return text
}

export function isEmpty(set: FieldSet | undefined): boolean {
  return !set || (!set.member && set.children.size === 0)
}

/** It may be one of both. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a
  if (isEmpty(a)) return b
  const children = new Map(a.children)
  for (const [element, inB] of b.children) {
    const inA = children.get(element)
    children.set(element, inA ? union(inA, inB) : inB)
  }
  return { member: a.member || b.member, children }
}

/** The fields of a that are not in b; children of a field in b stay. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a
  const result: FieldSet = { member: a.member && !b.member, children: new Map() }
  for (const [element, inA] of a.children) {
    const inB = b.children.get(element)
    const child = inB ? difference(inA, inB) : inA
    if (!isEmpty(child)) result.children.set(element, child)
  }
  return result
}

/** The fields of a that are neither in b nor below one that is. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a
  const result: FieldSet = { member: a.member && !b.member, children: new Map() }
  for (const [element, inA] of a.children) {
    const inB = b.children.get(element)
    if (inB?.member) continue
    const child = inB ? recursiveDifference(inA, inB) : inA
    if (!isEmpty(child)) result.children.set(element, child)
  }
  return result
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const result: FieldSet = { member: a.member && b.member, children: new Map() }
  for (const [element, inA] of a.children) {
    const inB = b.children.get(element)
    const child = inB && intersection(inA, inB)
    if (child && !isEmpty(child)) result.children.set(element, child)
  }
  return result
}

/** Whether a field is in both. */
export function overlap(a: FieldSet, b: FieldSet): boolean {
  if (a.member && b.member) return true
  for (const [element, inA] of a.children) {
    const inB = b.children.get(element)
    if (inB && overlap(inA, inB)) return true
  }
  return false
}

/** Every member's path: at each place its members in order, then what is below. */
export function pathsOf(set: FieldSet, above: FieldPath = []): FieldPath[] {
  const children = [...set.children].sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    ...children.filter(([, child]) => child.member).map(([element]) => [...above, element]),
    ...children.flatMap(([element, child]) => pathsOf(child, [...above, element])),
  ]
}

/** '.spec.containers[name="web"].image', as conflicts name fields. */
export function pathText(path: FieldPath): string {
  return path
    .map((element) => {
      const value = element.slice(2)
      if (element.startsWith('f:')) return `.${value}`
      if (element.startsWith('v:')) return `[=${value}]`
      if (element.startsWith('i:')) return `[${value}]`
      const keys = JSON.parse(value) as Record<string, unknown>
      return `[${Object.entries(keys)
        .map(([key, item]) => `${key}=${JSON.stringify(item)}`)
        .join(',')}]`
    })
    .join('')
}
