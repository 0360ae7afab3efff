import type { ManagedFieldsEntry } from '../schema/types/meta.v1.ts'
import { difference, emptySet, type FieldSet, isEmpty } from './field-set.ts'
import { identityOf, type Owner, readOwners, writeOwners } from './managed-fields.ts'

/** Where an object of that apiVersion has its replicas; null: nowhere, undefined: there is no such version. */
export type ReplicasPath = (apiVersion: string) => readonly string[] | null | undefined

const scaleVersion = 'autoscaling/v1'
const inScale = ['spec', 'replicas']

/** Who of an object's managers owns the replicas, as a Scale's managers. Source: apimachinery's managedfields.ScaleHandler. */
export function ownersOfScale(entries: readonly ManagedFieldsEntry[] | undefined, pathOf: ReplicasPath): ManagedFieldsEntry[] {
  const owners = [...readOwners(entries)].flatMap(([identity, owner]): [string, Owner][] => {
    const path = pathOf(owner.apiVersion)
    if (!path || !has(owner.fields, path)) return []
    return [[identity, { ...owner, apiVersion: scaleVersion, fields: setOf(inScale), written: undefined }]]
  })
  return writeOwners(new Map(owners))
}

/**
 * The object's managers after its Scale has been written in that version of the object. Who is new there has no time: the real
 * server looks for it among the object's own managers.
 */
export function ownersOfScaled(
  entries: readonly ManagedFieldsEntry[] | undefined,
  scaleEntries: readonly ManagedFieldsEntry[] | undefined,
  pathOf: ReplicasPath,
  apiVersion: string,
): ManagedFieldsEntry[] {
  const left = readOwners(scaleEntries)
  const owners = new Map<string, Owner>()
  const parents = readOwners(entries)
  for (const [identity, owner] of parents) {
    const path = pathOf(owner.apiVersion)
    if (path === undefined) continue
    if (path === null || !has(owner.fields, path)) owners.set(identity, owner)
    else if (left.delete(identity)) owners.set(identity, owner)
    else {
      const fields = difference(owner.fields, setOf(path))
      if (!isEmpty(fields)) owners.set(identity, { ...owner, fields, written: undefined })
    }
  }
  const path = pathOf(apiVersion)
  for (const [identity, owner] of left) {
    if (!path || !has(owner.fields, inScale)) continue
    const taken = { ...owner, apiVersion, time: parents.get(identity)?.time, fields: setOf(path), written: undefined }
    owners.set(identityOf(taken), taken)
  }
  return writeOwners(owners)
}

function setOf(path: readonly string[]): FieldSet {
  return path.reduceRight<FieldSet>((below, name) => ({ member: false, children: new Map([[`f:${name}`, below]]) }), {
    ...emptySet(),
    member: true,
  })
}

function has(set: FieldSet, path: readonly string[]): boolean {
  return path.reduce<FieldSet | undefined>((inner, name) => inner?.children.get(`f:${name}`), set)?.member ?? false
}
