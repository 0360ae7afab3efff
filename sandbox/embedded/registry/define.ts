import { copyOf } from '../machinery/copy.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { Pieces } from '../machinery/pieces.ts'
import { decodeObject } from '../schema/decode.ts'
import type { PodSpec } from '../schema/types/core.v1.ts'
import { jsonFieldsOf, wireTypeOf } from '../schema/wire.ts'
import type { FieldError } from './field.ts'
import { validateFinalizerNames, validateObjectMeta, validateObjectMetaUpdate } from './metadata.ts'
import type { NameRule } from './names.ts'
import { dnsSubdomain, pathSegment } from './names.ts'
import { dropDisabledPodFields } from './pod-disabled.ts'
import type { CreateContext, ResourceInfo, Strategy, SubresourceInfo, Verb } from './resource-info.ts'

const allVerbs: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const readAndWrite: readonly Verb[] = ['get', 'patch', 'update']

/** What a kind says of itself; the rest follows from it. */
export interface Definition<T extends KubeObject> {
  kind: string
  resource: string
  singular?: string
  shortNames?: readonly string[]
  categories?: readonly string[]
  /** False: of the whole cluster. */
  namespaced?: boolean
  verbs?: readonly Verb[]
  /** True adds `/status`: writes to the resource keep the status, writes to the status keep the rest. */
  status?: boolean
  subresources?: readonly SubresourceInfo[]
  storage?: ResourceInfo['storage']
  storageVersion?: string
  conversion?: ResourceInfo['conversion']
  name?: NameRule
  /** A name that follows from the object takes the place of `name`. */
  nameOf?(object: T): NameRule
  /**
   * How its own validation looks at a new object's metadata: `generic` leaves out that finalizers without a domain must be
   * Kubernetes' own, `later` leaves all of it to what every kind is checked for once its own validation has found nothing.
   */
  metadataChecks?: 'generic' | 'later'
  /** Whether an update's metadata is looked at as a new object's besides. */
  checksMetadataAgain?: boolean
  /** Where that is not the status for a write to the resource itself, the spec for one to its status. */
  resetFields?: ResourceInfo['resetFields']
  /** The status that a client creates an object with is kept (Nodes). */
  keepsStatusOnCreate?: boolean
  default?(object: T): void
  /** Whether `default` lets a frozen spec be, so that writes to the status need no copy of the stored one. */
  sharesSpec?: boolean
  /** Where it holds a pod's spec: what belongs to features that are switched off is taken out of that. */
  podSpec?(object: T): PodSpec | undefined
  prepareForCreate?(object: T, context: CreateContext): void
  prepareForUpdate?(object: T, old: T, context: CreateContext): void
  prepareForStatusUpdate?(object: T, old: T, context: CreateContext): void
  /** Writes to its status leave labels, annotations, finalizers and owners alone as well. */
  statusKeepsMetadata?: boolean
  /** What is wrong with the object apart from its metadata; runs on create and on update. */
  validate?(object: T): FieldError[]
  /** What is wrong with a new object besides. */
  /** As validateCreate; what it finds is told before what `validate` does. */
  validateFirst?(object: T): FieldError[]
  validateCreate?(object: T, context: CreateContext): FieldError[]
  /** What is wrong with the change; runs after `validate`. */
  validateChange?(object: T, old: T): FieldError[]
  validateStatus?(object: T, old: T): FieldError[]
  /** Replaces `validate` and `validateChange` on update where upstream's update validation does not repeat create's. */
  validateUpdate?(object: T, old: T): FieldError[]
  fieldSelectors?: Record<string, (object: T) => string>
  warnings?(object: T, old?: T): string[]
  allowCreateOnUpdate?: boolean
  allowUnconditionalUpdate?: boolean
  tracksGeneration?: boolean
  /** Of a kind that tracks its generation: whether a new object has none. */
  startsWithoutGeneration?: boolean
  /** Of a kind that tracks its generation: whether a list or map with nothing in it is another than none. */
  countsEmpty?: boolean
  /** By a change of what the generation is raised, where that is not all but metadata and status. */
  counted?(object: T): unknown
}

/** A definition in `group` and `version` as the API server uses it. */
export function define<T extends KubeObject>(group: string, version: string, definition: Definition<T>): ResourceInfo {
  const { kind, resource } = definition
  const namespaced = definition.namespaced ?? true
  const status: SubresourceInfo[] = definition.status ? [{ name: 'status', kind, verbs: readAndWrite }] : []
  return {
    group,
    version,
    kind,
    listKind: `${kind}List`,
    resource,
    singular: definition.singular ?? kind.toLowerCase(),
    shortNames: definition.shortNames ?? [],
    categories: definition.categories ?? [],
    namespaced,
    verbs: definition.verbs ?? allVerbs,
    subresources: [...(definition.subresources ?? []), ...status].sort((a, b) => (a.name < b.name ? -1 : 1)),
    storage: definition.storage ?? { group, version, resource },
    ...(definition.storageVersion ? { storageVersion: definition.storageVersion } : {}),
    conversion: definition.conversion,
    resetFields: { ...(definition.status ? ofStatus : {}), ...definition.resetFields },
    strategy: strategyOf(definition, namespaced),
  }
}

/** What the two strategies of a kind with `/status` mostly take back. */
export const ofStatus: ResourceInfo['resetFields'] = { '': { all: ['status'] }, status: { all: ['spec'] } }

/** Of a kind whose `/status` leaves the metadata alone as well. */
export const ofStatusAlone: ResourceInfo['resetFields'] = { status: { all: ['spec', 'metadata'] } }

export const scale: SubresourceInfo = { name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: readAndWrite }

export function subresource(name: string, kind: string, ...verbs: Verb[]): SubresourceInfo {
  return { name, kind, verbs: verbs.length ? verbs : readAndWrite }
}

/** Errors whose making somebody could feel. */
const many = 1_000

function strategyOf<T extends KubeObject>(definition: Definition<T>, namespaced: boolean): Strategy {
  const rule = definition.name ?? dnsSubdomain
  const validate = definition.validate ?? (() => [])
  const validateChange = definition.validateChange ?? (() => [])
  const strategy = {
    default: definition.default ?? (() => {}),
    prepareForCreate(object: T, context: CreateContext) {
      if (definition.status && !definition.keepsStatusOnCreate) clearStatus(object)
      dropDisabledPodFields(definition.podSpec?.(object))
      definition.prepareForCreate?.(object, context)
    },
    prepareForUpdate(object: T, old: T, context: CreateContext) {
      if (definition.status) copyStatus(object, old)
      dropDisabledPodFields(definition.podSpec?.(object))
      definition.prepareForUpdate?.(object, old, context)
    },
    prepareForStatusUpdate(object: T, old: T, context: CreateContext) {
      keepAllButStatus(object, old)
      if (definition.statusKeepsMetadata) keepMetadata(object, old)
      definition.prepareForStatusUpdate?.(object, old, context)
    },
    *validateCreate(object: T, context: CreateContext): Pieces<FieldError[]> {
      const { metadata } = object
      const early = [
        ...(definition.metadataChecks === 'later' ? [] : validateObjectMeta(metadata, namespaced, definition.nameOf?.(object) ?? rule)),
        ...(definition.metadataChecks ? [] : validateFinalizerNames(metadata)),
      ]
      if (early.length > many) yield
      const errors = [
        ...early,
        ...(definition.validateFirst?.(object) ?? []),
        ...validate(object),
        ...(definition.validateCreate?.(object, context) ?? []),
      ]
      return errors.length > 0 ? errors : validateObjectMeta(metadata, namespaced, pathSegment)
    },
    *validateUpdate(object: T, old: T): Pieces<FieldError[]> {
      const early = validateObjectMetaUpdate(object.metadata, old.metadata)
      if (early.length > many) yield
      return [
        ...early,
        ...(definition.checksMetadataAgain ? validateObjectMeta(object.metadata, namespaced, definition.nameOf?.(object) ?? rule) : []),
        ...(definition.metadataChecks ? [] : validateFinalizerNames(object.metadata)),
        ...(definition.validateUpdate ? definition.validateUpdate(object, old) : [...validate(object), ...validateChange(object, old)]),
      ]
    },
    *validateStatusUpdate(object: T, old: T): Pieces<FieldError[]> {
      const early = validateObjectMetaUpdate(object.metadata, old.metadata)
      if (early.length > many) yield
      return [...early, ...(definition.validateStatus?.(object, old) ?? [])]
    },
    fieldSelectors: definition.fieldSelectors ?? {},
    warnings: definition.warnings ?? (() => []),
    allowCreateOnUpdate: definition.allowCreateOnUpdate ?? false,
    allowUnconditionalUpdate: definition.allowUnconditionalUpdate ?? true,
    tracksGeneration: definition.tracksGeneration ?? false,
    firstGeneration: definition.tracksGeneration && !definition.startsWithoutGeneration ? 1 : undefined,
    countsEmpty: definition.countsEmpty ?? false,
    sharesSpec: definition.sharesSpec ?? false,
    counted: definition.counted ?? allButMetadataAndStatus,
  }
  return strategy as unknown as Strategy
}

export function allButMetadataAndStatus(object: KubeObject): unknown {
  const { metadata: _, status: __, ...rest } = object as KubeObject & { status?: unknown }
  return rest
}

function clearStatus(object: KubeObject & { status?: unknown }): void {
  const type = jsonFieldsOf(wireTypeOf(object.apiVersion, object.kind) ?? '').get('status')?.type
  object.status = type ? decodeObject({}, type).object : {}
}

function copyStatus(object: KubeObject & { status?: unknown }, old: KubeObject & { status?: unknown }): void {
  if (old.status === undefined) delete object.status
  else object.status = copyOf(old.status)
}

function keepAllButStatus(object: KubeObject, old: KubeObject): void {
  const target = object as unknown as Record<string, unknown>
  const source = old as unknown as Record<string, unknown>
  for (const key of Object.keys({ ...target, ...source })) {
    if (key === 'status' || key === 'metadata' || key === 'apiVersion' || key === 'kind') continue
    if (source[key] === undefined) delete target[key]
    else if (target[key] !== source[key]) target[key] = copyOf(source[key])
  }
}

function keepMetadata({ metadata }: KubeObject, old: KubeObject): void {
  for (const key of ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const) {
    if (old.metadata[key] === undefined) delete metadata[key]
    else Object.assign(metadata, { [key]: copyOf(old.metadata[key]) })
  }
}
