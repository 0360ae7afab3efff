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
  const set = emptySet()
  for (const [element, inner] of Object.entries(fields ?? {})) {
    if (element === '.') set.member = true
    else {
      const child = fromFieldsV1(inner as Record<string, unknown>)
      if (child.children.size === 0) child.member = true
      set.children.set(element, child)
    }
  }
  return set
}

export function toFieldsV1(set: FieldSet): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  if (set.member && set.children.size > 0) fields['.'] = {}
  // an element begins with its kind (f:, k:), so that none is called __proto__
  for (const element of [...set.children.keys()].sort()) fields[element] = toFieldsV1(set.children.get(element) as FieldSet)
  return fields
}

export function isEmpty(set: FieldSet | undefined): boolean {
  return !set || (!set.member && set.children.size === 0)
}

/** It may be one of both. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a
  if (isEmpty(a)) return b
  return combine(a, b, (inA, inB) => inA || inB)
}

/** The fields of a that are not in b; children of a field in b stay. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a
  return combine(a, b, (inA, inB) => inA && !inB)
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

function combine(a: FieldSet, b: FieldSet, keep: (inA: boolean, inB: boolean) => boolean): FieldSet {
  const result: FieldSet = { member: keep(a.member, b.member), children: new Map() }
  const put = (element: string, inA: FieldSet, inB: FieldSet) => {
    const child = combine(inA, inB, keep)
    if (!isEmpty(child)) result.children.set(element, child)
  }
  for (const [element, child] of a.children) put(element, child, b.children.get(element) ?? nothing)
  for (const [element, child] of b.children) if (!a.children.has(element)) put(element, nothing, child)
  return result
}

const nothing: FieldSet = Object.freeze(emptySet())
