import { deepEqual, freezeSharing } from '../machinery/freeze.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { Pieces } from '../machinery/pieces.ts'
import { Answers } from '../machinery/remembering.ts'
import { sortedJson } from '../machinery/sorted-json.ts'
import type { ResetFields } from '../registry/resource-info.ts'
import { decodeObject } from '../schema/decode.ts'
import type { Schema } from '../schema/index.ts'
import type { ManagedFieldsEntry } from '../schema/types/meta.v1.ts'
import { wireTypeOf } from '../schema/wire.ts'
import { assertTyped } from './check.ts'
import {
  difference,
  emptySet,
  type FieldPath,
  type FieldSet,
  intersection,
  isEmpty,
  overlap,
  pathsOf,
  pathText,
  toFieldsV1,
  union,
} from './field-set.ts'
import { identityOf, type Manager, type Owner, type Owners, ownable, readOwners, writeOwners } from './managed-fields.ts'
import { filterOf, type OwnershipFilter } from './reset-fields.ts'
import { shapeOf } from './shape.ts'
import { type Comparison, compare, fieldsOf, merge, prune } from './typed.ts'

export { TypedError } from './typed.ts'

/** Another manager owns a field that the applied configuration changes: 409, each cause of type FieldManagerConflict. */
export class ApplyConflict extends Error {
  readonly causes: { reason: 'FieldManagerConflict'; message: string; field: string }[]

  constructor(message: string, causes: ApplyConflict['causes']) {
    super(message)
    this.causes = causes
  }
}

/** Applied configuration that cannot be applied at all: 400. */
export class ApplyError extends Error {}

export interface ApplyRequest {
  /** The stored object, in the request's version; undefined when there is none yet. */
  live: KubeObject | undefined
  /** What the client applies, with only the fields that it has an opinion about. */
  applied: KubeObject
  schema: Schema | undefined
  manager: string
  force?: boolean
  subresource?: string
  /** What the request does not write. */
  reset?: ResetFields
  /** RFC 3339, whole seconds. */
  now: string
}

/**
 * Server-side apply (KEP-555): the live object with the applied configuration merged in, fields that the manager
 * applied earlier and no longer does taken off, and metadata.managedFields brought up to date. Nothing given is changed.
 * Throws ApplyConflict, ApplyError and TypedError.
 */
export function* serverSideApply(request: ApplyRequest): Pieces<KubeObject> {
  const { live, applied, schema, subresource, now } = request
  if (applied.metadata?.managedFields) throw new ApplyError('metadata.managedFields must be nil')
  assertTyped(applied, schema)
  yield
  const filter = filterOf(request.reset)
  const self: Manager = { name: request.manager, operation: 'Apply', apiVersion: applied.apiVersion, subresource: subresource ?? '' }
  const before = live ? withoutManagedFields(live) : emptyObject(applied)
  const owners = readOwners(live?.metadata.managedFields)
  yield
  if (live && owners.size === 0) {
    const { added, modified } = compare(emptyObject(applied), before, schema)
    const fields = ownable(filter(union(added, modified)))
    if (!isEmpty(fields)) addOwner(owners, { ...self, name: 'before-first-apply', operation: 'Update', time: now, fields })
  }

  const config = withoutManagedFields(applied)
  const fields = filter(fieldsOf(config, schema))
  yield
  const last = owners.get(identityOf(self))
  let after = merge(before, config, schema) as KubeObject
  yield
  owners.set(identityOf(self), { ...self, time: last?.time, fields: ownable(fields) })
  if (last && !isEmpty(last.fields)) {
    let owned = fields
    for (const owner of owners.values()) {
      owned = union(owned, owner.fields)
      yield
    }
    after = prune(after, last.fields, owned, schema) as KubeObject
    after = { ...after, metadata: after.metadata ?? {} }
    yield
  }
  const change = filtered(compare(before, after, schema), filter)
  yield
  const yielded = annotationFields(live, request, schema)
  yield* takeOver(owners, union(change.added, change.modified), change.removed, identityOf(self), request.force ?? false, yielded)
  const changed = !deepEqual(before, after)
  yield
  if (changed || !live) owners.set(identityOf(self), { ...self, time: now, fields: ownable(fields) })
  yield
  return withManagedFields(request.manager === 'kubectl' ? withLastApplied(after, applied) : after, writeOwners(owners))
}

export interface TrackRequest {
  /** Undefined for a create. */
  before: KubeObject | undefined
  after: KubeObject
  schema: Schema | undefined
  manager: string
  /** The version in which the request was made. */
  apiVersion: string
  subresource?: string
  /** What the request does not write. */
  reset?: ResetFields
  now: string
}

/**
 * metadata.managedFields after a create, update or patch (anything but apply): the manager owns what it added or
 * changed, others lose that, and what is gone belongs to nobody. A client may send a list of its own, by which kubectl
 * takes over what it applied before; an empty one resets ownership.
 * `after` is the object with its defaults, before admission and the strategy's preparation: what these add is nobody's.
 */
export function* trackManagedFields(request: TrackRequest): Pieces<ManagedFieldsEntry[] | undefined> {
  const { before, after, schema, subresource, now } = request
  const filter = filterOf(request.reset)
  const self: Manager = { name: request.manager, operation: 'Update', apiVersion: request.apiVersion, subresource: subresource ?? '' }
  const made = !before && !after.metadata.managedFields?.length ? fieldsOfNew(request) : undefined
  if (made) return writeOwners(new Map([[identityOf(self), { ...self, time: now, ...made }]]))
  // owners are set by hand of the object itself only
  const sent = subresource ? undefined : after.metadata.managedFields
  const reset = before !== undefined && sent !== undefined && sent.length === 0
  const known = reset ? [] : sent?.length ? sent : before?.metadata.managedFields
  if (before && !known?.length) return undefined
  const owners = readOwners(known, before?.metadata.managedFields ?? [])
  yield
  const change = compare(before ? withoutManagedFields(before) : emptyObject(after), withoutManagedFields(after), schema)
  yield
  const { added, modified, removed } = filtered(change, filter)
  const changed = union(added, modified)
  yield* takeOver(owners, changed, removed, undefined, true)
  yield
  const fields = ownable(changed)
  if (!isEmpty(fields)) {
    const earlier = owners.get(identityOf(self))
    addOwner(owners, { ...self, time: now, fields: earlier ? union(earlier.fields, fields) : fields })
    yield
  }
  return writeOwners(owners)
}

/** The fields of a new object; undefined where it is large. Objects that are made in the same way share them. */
function fieldsOfNew({ after, schema, reset }: TrackRequest): Pick<Owner, 'fields' | 'written'> | undefined {
  const object = withoutManagedFields(after)
  const shape = schema && shapeOf(object, schema)
  if (!shape) return undefined
  const known = newFields.get(shape)
  if (known?.schema === schema && known.reset === reset) return known.made
  const { added, modified } = filtered(compare(emptyObject(object), object, schema), filterOf(reset))
  const fields = ownable(union(added, modified))
  const made = { fields, written: isEmpty(fields) ? undefined : toFieldsV1(fields) }
  newFields.set(shape, { schema, reset, made })
  return made
}

/** By the shapes of the objects. */
const newFields = new Answers<string, { schema: Schema; reset: ResetFields | undefined; made: Pick<Owner, 'fields' | 'written'> }>(512)

/** Takes changed and removed fields off everybody else. Without force, owners of changed fields are a conflict. */
function* takeOver(
  owners: Owners,
  changed: FieldSet,
  removed: FieldSet,
  self: string | undefined,
  force: boolean,
  yielded: FieldSet = emptySet(),
): Pieces<void> {
  const conflicts: { owner: Owner; path: FieldPath }[] = []
  for (const [identity, owner] of [...owners]) {
    if (identity === self) continue
    yield
    if (!overlap(owner.fields, changed) && !overlap(owner.fields, removed)) continue
    const taken = intersection(owner.fields, changed)
    if (!force) for (const path of pathsOf(difference(taken, yielded))) conflicts.push({ owner, path })
    yield
    const fields = difference(difference(owner.fields, taken), removed)
    if (isEmpty(fields)) owners.delete(identity)
    else owners.set(identity, { ...owner, fields, written: undefined })
  }
  if (conflicts.length > 0) throw conflictOf(conflicts)
}

function conflictOf(conflicts: { owner: Owner; path: FieldPath }[]): ApplyConflict {
  const causes = conflicts.map(({ owner, path }) => ({
    reason: 'FieldManagerConflict' as const,
    message: `conflict with ${ownerText(owner)}`,
    field: pathText(path),
  }))
  const [first] = causes
  if (first && causes.length === 1) {
    return new ApplyConflict(`Apply failed with 1 conflict: ${first.message}: ${first.field}`, causes)
  }
  const byOwner = Map.groupBy(conflicts, ({ owner }) => ownerText(owner))
  const lines = [...byOwner]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([text, group]) => [`conflicts with ${text}:`, ...group.map(({ path }) => `- ${pathText(path)}`)])
  return new ApplyConflict(`Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`, causes)
}

function ownerText({ name, operation, apiVersion, subresource }: Owner): string {
  const text = `${JSON.stringify(name)}${subresource ? ` with subresource ${JSON.stringify(subresource)}` : ''}`
  return operation === 'Update' ? `${text} using ${apiVersion}` : text
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** kubectl may take over, without force, what its own client-side apply wrote down as applied. */
function annotationFields(live: KubeObject | undefined, request: ApplyRequest, schema: Schema | undefined): FieldSet {
  const text = live?.metadata.annotations?.[lastApplied]
  if (request.manager !== 'kubectl' || text === undefined) return emptySet()
  try {
    return fieldsOf(JSON.parse(text) as unknown, schema)
  } catch (error) {
    if (error instanceof SyntaxError) return emptySet()
    throw error
  }
}

/** Where kubectl once applied client-side, what it applies server-side is noted in the same place, so that it may go back. */
function withLastApplied(object: KubeObject, applied: KubeObject): KubeObject {
  const { annotations } = object.metadata
  if (annotations?.[lastApplied] === undefined) return object
  const { [lastApplied]: _, ...others } = applied.metadata.annotations ?? {}
  const { annotations: __, ...metadata } = applied.metadata
  const config = { ...applied, metadata: applied.metadata.annotations ? { ...metadata, annotations: others } : metadata }
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, [lastApplied]: `${sortedJson(config)}\n` } } }
}

function filtered({ added, modified, removed }: Comparison, filter: OwnershipFilter): Comparison {
  return { added: filter(added), modified: filter(modified), removed: filter(removed) }
}

function addOwner(owners: Owners, owner: Owner): void {
  owners.set(identityOf(owner), owner)
}

/** The object as Go has it before anything is set, which is what a create is compared with. */
function emptyObject({ apiVersion, kind }: KubeObject): KubeObject {
  const type = wireTypeOf(apiVersion, kind)
  if (!type) return { apiVersion, kind } as KubeObject
  const key = `${apiVersion} ${kind}`
  let object = emptyObjects.get(key)
  if (!object) {
    object = freezeSharing(decodeObject({ apiVersion, kind }, type).object as unknown as KubeObject)
    emptyObjects.set(key, object)
  }
  return object
}

/** By their apiVersion and kind. */
const emptyObjects = new Map<string, KubeObject>()

function withoutManagedFields(object: KubeObject): KubeObject {
  if (!object.metadata || !('managedFields' in object.metadata)) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}

function withManagedFields(object: KubeObject, managedFields: ManagedFieldsEntry[]): KubeObject {
  return { ...object, metadata: { ...object.metadata, ...(managedFields.length > 0 && { managedFields }) } }
}
