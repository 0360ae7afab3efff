import { deepEqual } from '../machinery/freeze.ts'
import type { ManagedFieldsEntry } from '../schema/types/meta.v1.ts'
import { type FieldSet, fromFieldsV1, isEmpty, toFieldsV1, union } from './field-set.ts'

export interface Manager {
  readonly name: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource?: string
}

export interface Owner extends Manager {
  readonly time?: string
  readonly fields: FieldSet
  /** The same fields as they were written before, where nothing has changed about them. */
  readonly written?: ManagedFieldsEntry['fieldsV1']
}

/** Everybody who owns fields, by identity: appliers are one whatever version they apply, updaters one per version. */
export type Owners = Map<string, Owner>

const mostUpdaters = 10

const unowned = new Set(['f:apiVersion', 'f:kind'])
const unownedMetadata = new Set(
  ['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'generation', 'managedFields', 'resourceVersion'].map(
    (name) => `f:${name}`,
  ),
)

export function identityOf({ name, operation, apiVersion, subresource = '' }: Manager): string {
  return JSON.stringify([name, operation, operation === 'Apply' ? '' : apiVersion, subresource])
}

/** `stored` is what was written before: entries of it that nothing has changed about are written as they are. */
export function readOwners(entries: readonly ManagedFieldsEntry[] = [], stored = entries): Owners {
  return new Map(
    entries.map((entry, index) => {
      const before = stored[index]?.fieldsV1
      const owner: Owner = {
        name: entry.manager ?? '',
        operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
        apiVersion: entry.apiVersion ?? '',
        subresource: entry.subresource ?? '',
        time: entry.time,
        fields: fromFieldsV1(entry.fieldsV1),
        ...(before && deepEqual(before, entry.fieldsV1) ? { written: before } : {}),
      }
      return [identityOf(owner), owner]
    }),
  )
}

/** The entries as the API shows them: appliers first, then by time, then by name. */
export function writeOwners(owners: Owners): ManagedFieldsEntry[] {
  return [...capped(owners).values()]
    .filter(({ fields }) => !isEmpty(fields))
    .map(({ name, operation, apiVersion, subresource, time, fields, written }) => ({
      manager: name,
      operation,
      apiVersion,
      ...(time !== undefined && { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: written ?? toFieldsV1(fields),
      ...(subresource && { subresource }),
    }))
    .sort(
      (a, b) =>
        order(a.operation, b.operation) ||
        order(a.time ?? '', b.time ?? '') ||
        order(a.manager, b.manager) ||
        order(a.apiVersion, b.apiVersion) ||
        order(a.subresource ?? '', b.subresource ?? ''),
    )
}

/** A set without what nobody owns: identity and bookkeeping. */
export function ownable(set: FieldSet): FieldSet {
  const kept: FieldSet = { member: set.member, children: new Map() }
  for (const [element, child] of set.children) {
    if (unowned.has(element)) continue
    if (element !== 'f:metadata') {
      kept.children.set(element, child)
      continue
    }
    const metadata: FieldSet = { member: false, children: new Map() }
    for (const [name, inner] of child.children) if (!unownedMetadata.has(name)) metadata.children.set(name, inner)
    if (metadata.children.size > 0) kept.children.set(element, metadata)
  }
  return kept
}

/** The oldest updaters melt into one called ancient-changes. */
function capped(owners: Owners): Owners {
  const updaters = [...owners.values()].filter(({ operation }) => operation === 'Update')
  if (updaters.length <= mostUpdaters) return owners
  const result = new Map(owners)
  const oldest = updaters.sort((a, b) => order(a.time ?? '', b.time ?? '')).slice(0, updaters.length - mostUpdaters + 1)
  for (const owner of oldest) {
    result.delete(identityOf(owner))
    const bucket = { ...owner, name: 'ancient-changes', subresource: '', written: undefined }
    const before = result.get(identityOf(bucket))
    result.set(identityOf(bucket), before ? { ...bucket, fields: union(before.fields, owner.fields) } : bucket)
  }
  return result
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
