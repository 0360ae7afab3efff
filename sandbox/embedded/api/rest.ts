import type { AdmissionChain, AdmissionRequest, Operation } from '../admission/admission.ts'
import { Reinvocation } from '../admission/reinvocation.ts'
import type { Clock } from '../clock.ts'
import { copyOf } from '../machinery/copy.ts'
import { ApiError, objectModified } from '../machinery/errors.ts'
import { groupVersionOf, type KubeObject, type UserInfo } from '../machinery/object.ts'
import { sizeOfStored } from '../machinery/object-size.ts'
import { withPauses } from '../machinery/pieces.ts'
import type { Store } from '../machinery/store.ts'
import { type FieldError, invalid, metadataPath } from '../registry/field.ts'
import type { CreateContext, ResourceInfo } from '../registry/index.ts'
import { AllocationError } from '../registry/resource-info.ts'
import { registryKey } from '../registry/storage-key.ts'
import type { ServiceAllocator } from './allocator.ts'
import { decodeAs } from './body.ts'
import { readServed, throughStorage, toStored } from './conversion.ts'
import type { Limits } from './limits.ts'
import {
  countGeneration,
  fillSystemFields,
  generatedName,
  keepSystemFields,
  matchName,
  matchNamespace,
  sameButManagedTimes,
  timestamp,
  uuid,
} from './object-meta.ts'
import { unsignedFault } from './options.ts'
import { withoutRepeatedOwners } from './owner-references.ts'
import { apiVersionOf, keyOf, tableOf } from './resources.ts'
import { assertStorable } from './storable.ts'

/** One write on its way to the store. */
export interface WriteRequest {
  info: ResourceInfo
  namespace: string
  /** '' on a create. */
  name: string
  subresource: string
  user: UserInfo
  dryRun: boolean
  /** The object is what is there with a patch on it. */
  patches?: boolean
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, for admission. */
  options: Record<string, unknown>
  warn(text: string): void
  /** For the audit log. */
  annotate(key: string, value: string): void
  /** Lets others have their turn, amid work on something large. */
  pause?: (() => Promise<void>) | undefined
  /** What was sent is large. */
  large?: boolean
}

/** How a subresource differs from the resource in an update: what it may change, and what is wrong with it. */
export interface UpdateRules {
  prepare(object: KubeObject, old: KubeObject, context: CreateContext): void
  validate(object: KubeObject, old: KubeObject): FieldError[]
}

export interface RestParts {
  store: Store
  clock: Clock
  random: () => number
  admission: AdmissionChain
  allocator: ServiceAllocator
  /** Without it there is room for everything. */
  limits?: Pick<Limits, 'assertRoom'>
}

/** Bytes from which work on an object is done in pieces. */
export const largeObject = 32 * 2 ** 10
/** Writes that find their object changed begin again so often. */
const updateAttempts = 8
const generateNameAttempts = 8

/**
 * What apiserver's generic registry does for every kind: reading, creating and updating by the kind's strategy, with
 * admission around it. Objects come in and go out in the version of the request; what is read is frozen.
 */
export class Rest {
  readonly store: Store
  readonly clock: Clock
  readonly random: () => number
  private readonly admission: AdmissionChain
  private readonly allocator: ServiceAllocator
  private readonly limits: Pick<Limits, 'assertRoom'> | undefined

  constructor({ store, clock, random, admission, allocator, limits }: RestParts) {
    this.limits = limits
    this.store = store
    this.clock = clock
    this.random = random
    this.admission = admission
    this.allocator = allocator
  }

  has(info: ResourceInfo, namespace: string, name: string): boolean {
    return this.store.get(tableOf(info), keyOf(info, namespace, name)) !== undefined
  }

  /** Rejects with ApiError NotFound, or what a conversion fails with. */
  async get(info: ResourceInfo, namespace: string, name: string): Promise<KubeObject> {
    const stored = this.store.get(tableOf(info), keyOf(info, namespace, name))
    if (!stored) throw ApiError.notFound(info, name)
    return readServed(info, stored)
  }

  /** Stores a new object; the draft is changed. Rejects with ApiError. */
  async create(request: WriteRequest, draft: KubeObject): Promise<KubeObject> {
    for (let attempt = 1; ; attempt++) {
      const object = attempt === 1 ? draft : copyOf(draft)
      try {
        return await this.createOnce(request, object, attempt > 1)
      } catch (error) {
        const generated = error instanceof ApiError && error.reason === 'AlreadyExists' && !request.name && draft.metadata.generateName
        if (!generated) throw error
        if (attempt === generateNameAttempts) throw ApiError.generateNameConflict(request.info, draft.metadata.name ?? '')
        draft.metadata.name = generatedName(draft.metadata.generateName as string, this.random)
      }
    }
  }

  /**
   * Changes an object to what `produce` makes of the stored one; begins again when it changes meanwhile. Gives `produce`
   * undefined to create where the kind (or `mayCreate`) allows that. `admit` is false where the body that caused the
   * change has been through admission already. Rejects with ApiError.
   */
  async update(
    request: WriteRequest,
    produce: (existing: KubeObject | undefined) => KubeObject | Promise<KubeObject>,
    { rules, mayCreate = false, admit = true }: { rules?: UpdateRules; mayCreate?: boolean; admit?: boolean } = {},
  ): Promise<{ object: KubeObject; created: boolean }> {
    const { info, namespace, name } = request
    for (let attempt = 1; ; attempt++) {
      const stored = this.store.get(tableOf(info), keyOf(info, namespace, name))
      if (!stored) {
        if (!mayCreate && !(info.strategy.allowCreateOnUpdate && !request.subresource)) throw ApiError.notFound(info, name)
        const draft = await produce(undefined)
        // what an update creates may name a version that is long gone
        delete draft.metadata.resourceVersion
        matchNamespace(info, draft, namespace)
        matchName(draft, name)
        return { object: await this.create(request, draft), created: true }
      }
      const old = await readServed(info, stored)
      const draft = await produce(old)
      const next = await this.prepareUpdate(request, draft, old, rules, admit)
      await pauseFor(request, stored)
      const toStore = await toStored(info, next)
      if (this.store.get(tableOf(info), keyOf(info, namespace, name)) !== stored) {
        if (attempt === updateAttempts) throw ApiError.conflict(info, name)
        continue
      }
      return { object: await this.commitUpdate(request, next, toStore, stored), created: false }
    }
  }

  /** Runs a deletion's admission; see deletion.ts. */
  async admitDelete(request: WriteRequest, old: KubeObject): Promise<void> {
    const asked = this.admissionRequest(request, 'DELETE', undefined, old)
    await this.admission.admit('mutate', asked)
    await this.admission.admit('validate', asked)
  }

  /** Admission of what is not stored: a subresource's body, a connection. Resolves with the body as admission left it. */
  async admitBody(request: WriteRequest, operation: Operation, body: KubeObject, kind = kindOf(body)): Promise<KubeObject> {
    const asked = { ...this.admissionRequest(request, operation, body, undefined), kind }
    await this.admission.admit('mutate', asked)
    await this.admission.admit('validate', asked)
    return asked.object ?? body
  }

  private async createOnce(request: WriteRequest, object: KubeObject, again: boolean): Promise<KubeObject> {
    const { info, namespace } = request
    const { strategy } = info
    matchNamespace(info, object, namespace)
    const asked = this.admissionRequest(request, 'CREATE', object, undefined)
    await this.admission.admit('mutate', asked)
    const draft = asked.object as KubeObject
    withoutRepeatedOwners(draft, request.warn, true)
    await pauseFor(request)
    // only the storage looks, and a dry run does not come that far
    if (draft.metadata.resourceVersion && !request.dryRun)
      throw new ApiError(500, undefined, 'resourceVersion should not be set on objects to be created')
    fillSystemFields(draft, this.clock, this.random)
    // A later attempt's name is the one that was generated for it.
    if (!again) object.metadata.name = draft.metadata.name as string
    if (strategy.firstGeneration) draft.metadata.generation = strategy.firstGeneration
    using allocator = this.allocator.begin(request.dryRun)
    const context = this.context(allocator, request)
    located(info, draft, () => strategy.prepareForCreate(draft, context))
    const errors = await withPauses(strategy.validateCreate(draft, context), request.pause)
    await pauseFor(request)
    if (errors.length > 0)
      throw await withPauses(ApiError.invalidInPieces(storedKind(info), draft.metadata.name ?? '', errors), request.pause)
    for (const warning of strategy.warnings(draft)) request.warn(warning)
    const name = draft.metadata.name as string
    await this.admission.admit('validate', { ...asked, name, object: draft })
    const made = throughStorage(info, draft)
    await pauseFor(request)
    const stored = await toStored(info, made)
    assertStorable(stored)
    const existing = this.store.get(tableOf(info), keyOf(info, namespace, name))
    if (existing) {
      const error = ApiError.alreadyExists(info, name)
      if (!existing.metadata.deletionTimestamp) throw error
      throw ApiError.from({ ...error.body, message: `object is being deleted: ${error.message}` })
    }
    this.limits?.assertRoom(info, name, stored)
    return request.dryRun ? made : readServed(info, this.store.put(tableOf(info), keyOf(info, namespace, name), stored))
  }

  private context(allocator: CreateContext['allocator'], { user, namespace }: WriteRequest): CreateContext {
    const namespaceLabels = () => this.store.get('namespaces', namespace)?.metadata.labels ?? {}
    return { allocator, now: timestamp(this.clock.now()), newUid: () => uuid(this.random), namespaceLabels, user }
  }

  /** Resolves with the object as it comes back from the storage. */
  private async prepareUpdate(
    request: WriteRequest,
    object: KubeObject,
    old: KubeObject,
    rules: UpdateRules | undefined,
    admit: boolean,
  ): Promise<KubeObject> {
    const { info, namespace, name, subresource } = request
    const { strategy } = info
    matchNamespace(info, object, namespace)
    matchName(object, name)
    const { resourceVersion, uid } = object.metadata
    // a patch that changes it is wrong, not late
    if (uid && uid !== old.metadata.uid && !request.patches) {
      const failed = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`
      // for practice it does not come as far as the storage, whose keys begin so
      const key = `${request.dryRun ? '' : '/registry'}${registryKey(info, namespace, name)}`
      const why = `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${failed}`
      throw ApiError.conflict(info, name, why)
    }
    const fault = resourceVersion ? unsignedFault(resourceVersion) : undefined
    if (fault) throw new ApiError(500, undefined, fault)
    if (!Number(resourceVersion ?? 0)) {
      if (!strategy.allowUnconditionalUpdate) {
        const error = invalid(metadataPath.child('resourceVersion'), 0, 'must be specified for an update')
        throw ApiError.invalid({ group: info.group, kind: info.resource }, name, [error])
      }
      object.metadata.resourceVersion = old.metadata.resourceVersion as string
    } else if (resourceVersion !== old.metadata.resourceVersion) {
      throw ApiError.conflict(info, name, objectModified)
    }
    const asked = this.admissionRequest(request, 'UPDATE', object, old)
    if (admit) await this.admission.admit('mutate', asked)
    const draft = asked.object as KubeObject
    if (admit) withoutRepeatedOwners(draft, request.warn, true)
    await pauseFor(request, old)
    keepSystemFields(draft, old)
    using allocator = this.allocator.begin(request.dryRun)
    const context = this.context(allocator, request)
    if (rules) rules.prepare(draft, old, context)
    else if (subresource === 'status') strategy.prepareForStatusUpdate(draft, old, context)
    else located(info, draft, () => strategy.prepareForUpdate(draft, old, context))
    if (subresource !== 'status' && admit) countGeneration(info, draft, old)
    const errors = rules
      ? rules.validate(draft, old)
      : await withPauses(
          subresource === 'status' ? strategy.validateStatusUpdate(draft, old) : strategy.validateUpdate(draft, old),
          request.pause,
        )
    await pauseFor(request, old)
    if (errors.length > 0) throw await withPauses(ApiError.invalidInPieces(storedKind(info), name, errors), request.pause)
    if (!subresource) for (const warning of strategy.warnings(draft, old)) request.warn(warning)
    const next = throughStorage(info, draft)
    if (sameButManagedTimes(next, old)) draft.metadata.managedFields = old.metadata.managedFields as typeof draft.metadata.managedFields
    if (draft.metadata.managedFields === undefined) delete draft.metadata.managedFields
    if (admit) await this.admission.admit('validate', { ...asked, object: draft })
    return next === draft ? draft : throughStorage(info, draft)
  }

  /** Writes before it first waits: nobody else has written since the caller looked. */
  private async commitUpdate(request: WriteRequest, next: KubeObject, toStore: KubeObject, stored: KubeObject): Promise<KubeObject> {
    const { info, namespace, name } = request
    const table = tableOf(info)
    const key = keyOf(info, namespace, name)
    if (deletedByUpdate(toStore, stored)) {
      // The update itself is never written: watchers are told of the object as it was stored, finalizer and all.
      if (!request.dryRun) this.store.remove(table, key)
      return next
    }
    if (sameButManagedTimes(toStore, stored)) return readServed(info, stored)
    assertStorable(toStore)
    this.limits?.assertRoom(info, name, toStore, stored)
    return request.dryRun ? next : readServed(info, this.store.put(table, key, toStore))
  }

  private admissionRequest(
    request: WriteRequest,
    operation: Operation,
    object: KubeObject | undefined,
    oldObject: KubeObject | undefined,
  ): AdmissionRequest {
    const { info, namespace, name, subresource, user, dryRun, options, warn, annotate } = request
    return {
      operation,
      resource: { group: info.group, version: info.version, resource: info.resource },
      kind: { group: info.group, version: info.version, kind: info.kind },
      subresource,
      // The server puts a namespace's own name where others have their namespace.
      namespace: info.group === '' && info.resource === 'namespaces' ? name || (object?.metadata.name ?? '') : namespace,
      name: name || (object?.metadata.name ?? ''),
      object,
      oldObject,
      user,
      dryRun,
      options,
      warn,
      annotate,
      read: (value) => readObject(info, value),
      readAs: readObject,
      reinvocation: new Reinvocation(),
    }
  }
}

async function pauseFor({ pause, large }: WriteRequest, existing?: KubeObject): Promise<void> {
  if (pause && (large || (existing && sizeOfStored(existing) > largeObject))) await pause()
}

/** What the server makes of data that a webhook or policy has changed. A subresource's own kind has no fields to drop. */
function readObject(info: ResourceInfo, value: KubeObject): KubeObject {
  if (value.kind !== info.kind || value.apiVersion !== apiVersionOf(info)) return value
  const parsed = { value: value as unknown as Record<string, unknown> }
  const object = decodeAs(info, parsed, 'Ignore', () => {}, info.decode)
  info.strategy.default(object)
  return object
}

/** What refusals call the kind: an Event is one of the core group whichever group it was sent to. */
function storedKind({ kind, storage }: ResourceInfo): { group: string; kind: string } {
  return { group: storage.group, kind }
}

/** An address or port that is not to be had is a field's error. */
function located(info: ResourceInfo, { metadata }: KubeObject, prepare: () => void): void {
  try {
    prepare()
  } catch (error) {
    if (error instanceof AllocationError && error.fields.length > 0) throw ApiError.invalid(info, metadata.name ?? '', error.fields)
    throw error
  }
}

/** An object that waited only for its finalizers goes when an update takes the last of them. */
function deletedByUpdate(object: KubeObject, existing: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds } = existing.metadata
  return !object.metadata.finalizers?.length && deletionTimestamp !== undefined && !deletionGracePeriodSeconds && !holdsNamespace(object)
}

/** A namespace has a second kind of finalizers, in its spec. */
function holdsNamespace(object: KubeObject): boolean {
  return object.kind === 'Namespace' && !!(object as KubeObject & { spec?: { finalizers?: string[] } }).spec?.finalizers?.length
}

function kindOf({ apiVersion, kind }: KubeObject): AdmissionRequest['kind'] {
  return { ...groupVersionOf(apiVersion), kind }
}

/** The type of an object of this ResourceInfo. */
export function typeMeta(info: ResourceInfo): { apiVersion: string; kind: string } {
  return { apiVersion: apiVersionOf(info), kind: info.kind }
}
