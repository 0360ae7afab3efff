import type { KubeObject } from '../machinery/object.ts'
import type { Pieces } from '../machinery/pieces.ts'
import type { CustomResourceDefinitionVersion } from '../schema/types/apiextensions.v1.ts'
import type { FieldError } from './field.ts'

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch'

export interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** One `resource/name` of discovery. `kind` is that of the body; group and version are given when they are not the parent's. */
export interface SubresourceInfo {
  readonly name: string
  readonly kind: string
  readonly group?: string
  readonly version?: string
  readonly verbs: readonly Verb[]
}

/** One kind served at one group and version, with what the API server must know about it. */
export interface ResourceInfo {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly listKind: string
  readonly resource: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: boolean
  readonly verbs: readonly Verb[]
  readonly subresources: readonly SubresourceInfo[]
  /** Where the object lies in the store; another ResourceInfo's group, version and resource when that one stores it. */
  readonly storage: { readonly group: string; readonly version: string; readonly resource: string }
  /** The version that the real server stores, where that is an older one: discovery's storageVersionHash tells of it. */
  readonly storageVersion?: string
  /** Between this version and the stored one; absent when they are the same. */
  readonly conversion?: Conversion
  readonly strategy: Strategy
  /** What the strategy takes back of a write to the resource itself ('') or to a subresource: nobody owns it for that. */
  readonly resetFields: Readonly<Record<string, ResetFields>>
  /**
   * Of a custom resource: reads plain data by its schema (pruned, with
   * the names of what was dropped). Built-in kinds go by their Go type.
   */
  readonly decode?: (value: Record<string, unknown>) => { object: Record<string, unknown>; unknown: string[] }
  /** Of a custom resource: its version of the definition, for table columns, OpenAPI and the scale subresource. */
  readonly definition?: CustomResourceDefinitionVersion
}

/** Paths of field names ('metadata.labels'), `*` for any; each with all that is below it. Source: GetResetFields of the strategies. */
export type ResetFields = { readonly all: readonly string[] } | { readonly allBut: readonly string[] }

/** None of these changes its argument. */
export interface Conversion {
  toStorage(object: KubeObject): KubeObject
  fromStorage(object: KubeObject): KubeObject
  /**
   * Where versions differ in more than their names: brings objects to
   * this apiVersion before the other two see them. Rejects with ApiError.
   */
  webhook?(objects: readonly KubeObject[], apiVersion: string): Promise<KubeObject[]>
}

/**
 * An address or port that is taken or out of range; the message is the
 * server's, `fields` say where it was asked for and why it can't be.
 */
export class AllocationError extends Error {
  fields: readonly FieldError[] = []
}

/** Service addresses and node ports that the API server gives out. */
export interface Allocator {
  /** A free address of the service range, or `wanted` when it is free; throws AllocationError. */
  clusterIP(wanted?: string): string
  /** A free node port, or `wanted` when it is free; throws AllocationError. */
  nodePort(wanted?: number): number
}

export interface CreateContext {
  readonly allocator: Allocator
  /** RFC 3339 now, from the cluster's clock. */
  readonly now: string
  /** A random UUID. */
  newUid(): string
  /** Of the namespace that the object is to be in; none where there is no such. */
  namespaceLabels(): Readonly<Record<string, string>>
  readonly user?: {
    readonly username: string
    readonly uid?: string
    readonly groups: readonly string[]
    readonly extra?: Record<string, string[]>
  }
}

/**
 * A kind's rules. `default`, `prepareForCreate` and `prepareForUpdate` change their first argument, which is the caller's
 * own copy; everything else only reads. Objects have the shape of their Go type (see schema/decode.ts), nothing more.
 */
export interface Strategy {
  default(object: KubeObject): void
  prepareForCreate(object: KubeObject, context: CreateContext): void
  /** Of a write to the resource itself: keeps the old status, fills what clients may leave out. */
  prepareForUpdate(object: KubeObject, old: KubeObject, context: CreateContext): void
  /** Of a write to `/status`: keeps everything but the status, mostly. */
  prepareForStatusUpdate(object: KubeObject, old: KubeObject, context: CreateContext): void
  /** What is wrong with it. It comes in pieces where that may take long to find out. */
  validateCreate(object: KubeObject, context: CreateContext): Pieces<FieldError[]>
  validateUpdate(object: KubeObject, old: KubeObject): Pieces<FieldError[]>
  validateStatusUpdate(object: KubeObject, old: KubeObject): Pieces<FieldError[]>
  /** Field selectors beside metadata.name and metadata.namespace. */
  readonly fieldSelectors: Readonly<Record<string, (object: KubeObject) => string>>
  warnings(object: KubeObject, old?: KubeObject): string[]
  /** PUT to a name that does not exist makes it (Lease, Event, Endpoints and a few more). */
  readonly allowCreateOnUpdate: boolean
  /** An update without resourceVersion is accepted. */
  readonly allowUnconditionalUpdate: boolean
  /** metadata.generation is kept, and raised when what `counted` gives changes. */
  readonly tracksGeneration: boolean
  /** Whether a list or map with nothing in it is another than none for the generation, as reflect.DeepEqual has it. */
  readonly countsEmpty: boolean
  /** A write to the status may leave the stored spec itself, frozen, in the draft: `default` lets that be. */
  readonly sharesSpec: boolean
  /** What a new object's generation is. */
  readonly firstGeneration: number | undefined
  /** All but metadata and status unless the kind says otherwise. */
  counted(object: KubeObject): unknown
}
