import { ownersOfScale, ownersOfScaled, type ReplicasPath } from '../../apply/scale-owners.ts'
import { copyOf } from '../../machinery/copy.ts'
import { ApiError } from '../../machinery/errors.ts'
import type { KubeObject } from '../../machinery/object.ts'
import { atOnce } from '../../machinery/pieces.ts'
import { patchContentTypes } from '../../patch/index.ts'
import { invalid, specPath } from '../../registry/field.ts'
import type { ResourceInfo } from '../../registry/index.ts'
import { schemaOf } from '../../schema/index.ts'
import type { Scale } from '../../schema/types/autoscaling.v1.ts'
import type { LabelSelector } from '../../schema/types/meta.v1.ts'
import { mediaType } from '../body.ts'
import { type Outcome, objectOutcome, type ResourceCall } from '../call.ts'
import { readConfiguration } from '../configuration.ts'
import { trackFields } from '../field-manager.ts'
import { assertVersion } from '../listing.ts'
import { matchName, matchNamespace } from '../object-meta.ts'
import { type WriteOptions, writeOptions } from '../options.ts'
import { parsePatch, patchedObject } from '../patched.ts'
import { type ResourceHandler, refused } from '../resource-handler.ts'
import { apiVersionOf } from '../resources.ts'
import type { WriteRequest } from '../rest.ts'

/** Where a kind keeps what its Scale shows. Paths are field names from the root. */
export interface ScalePaths {
  specReplicas: readonly string[]
  statusReplicas: readonly string[]
  /** A LabelSelector, a map of labels, or (custom resources) its text. */
  selector?: readonly string[]
}

const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' }
const builtIn: ScalePaths = { specReplicas: ['spec', 'replicas'], statusReplicas: ['status', 'replicas'], selector: ['spec', 'selector'] }

/** GET, PUT and PATCH of `/scale`. Rejects with ApiError. */
export function scaleHandler(generic: ResourceHandler, pathsOf: (info: ResourceInfo) => ScalePaths | undefined) {
  return async (call: ResourceCall): Promise<Outcome> => {
    const { info, path, request } = call
    if (!info.subresources.some((known) => known.name === 'scale')) throw ApiError.unknownPath()
    const paths = pathsOf(info) ?? builtIn
    if (request.verb === 'get') assertVersion(request.query, generic.rest.store.revision)
    if (request.verb === 'get') return answer(info, scaleOf(await generic.rest.get(info, path.namespace, path.name), paths))
    if (request.verb !== 'update' && request.verb !== 'patch') throw ApiError.methodNotSupported(...refused(call))
    const { write, scaled } = change(generic, call)
    const pathOf = replicasPathOf(info, paths)
    const produce = (existing: KubeObject | undefined) => {
      const current = existing as KubeObject
      const live = scaleOf(current, paths)
      const managedFields = ownersOfScale(current.metadata.managedFields, pathOf)
      if (managedFields.length > 0) live.metadata.managedFields = managedFields
      const scale = scaled(live)
      check(info, scale, current, write.patches ?? false)
      const next = copyOf(current)
      setAt(next as unknown as Tree, paths.specReplicas, scale.spec?.replicas ?? 0)
      const { resourceVersion, uid } = scale.metadata
      if (uid) next.metadata.uid = uid
      if (resourceVersion || !info.definition) next.metadata.resourceVersion = resourceVersion ?? ''
      const owners = ownersOfScaled(current.metadata.managedFields, scale.metadata.managedFields, pathOf, apiVersionOf(info))
      if (owners.length > 0) next.metadata.managedFields = owners
      else delete next.metadata.managedFields
      return next
    }
    const { object } = await generic.rest.update(write, produce)
    return answer(info, scaleOf(object, paths))
  }
}

/** A Scale as an answer, with what its table and metadata take of it. */
function answer(info: ResourceInfo, scale: Scale): Outcome {
  const { definition, decode: _, ...own } = info
  const scales: ResourceInfo = { ...own, ...scaleKind, resource: 'scales' }
  return { ...objectOutcome(scale, scales), goType: definition ? '*v1.Scale' : '*autoscaling.Scale' }
}

interface Change {
  write: WriteRequest
  /** What a Scale is to become. */
  scaled(live: Scale): Scale
}

/** What a PUT or PATCH asks for. Throws ApiError. */
function change(generic: ResourceHandler, call: ResourceCall): Change {
  const { info, path, request } = call
  const tracked = (scale: Scale, live: Scale, options: WriteOptions) => {
    atOnce(trackFields(scaleKind, live, scale, generic.writer(call, options)))
    return scale
  }
  if (request.verb === 'update') {
    const options = writeOptions(request.query, 'UpdateOptions')
    const given = readable(info, () => generic.body(call, scaleKind, options) as Scale)
    matchNamespace(info, given, path.namespace)
    matchName(given, path.name)
    const write = generic.writeRequest(call, options, 'UpdateOptions')
    return { write, scaled: (live) => tracked(copyOf(given), live, options) }
  }
  const type = patchContentTypes[mediaType(call.headers['content-type'])]
  if (!type) throw ApiError.routeUnsupported()
  const options = writeOptions(request.query, 'PatchOptions', type)
  const write = { ...generic.writeRequest(call, options, 'PatchOptions'), patches: true }
  if (type === 'apply') {
    const configuration = readConfiguration(call, scaleKind, options)
    const scaled = (live: Scale) => {
      if (info.definition && !live.metadata.managedFields) throw cannotConvert()
      return atOnce(configuration.appliedTo(live, generic.writer(call, options))) as Scale
    }
    return { write, scaled }
  }
  if (!generic.rest.has(info, write.namespace, write.name)) throw ApiError.notFound(info, write.name)
  const patch = call.value ?? parsePatch(call.body ?? new Uint8Array(), type, options.fieldValidation)
  // what is no Go type has none for its Scale either
  const schema = info.definition ? undefined : schemaOf(scaleKind.group, scaleKind.version, scaleKind.kind)
  const warn = options.fieldValidation === 'Warn' ? call.warn : () => {}
  const how = { kind: scaleKind, schema, validation: options.fieldValidation, warn }
  return { write, scaled: (live) => tracked(patchedObject(type, live, patch, how) as Scale, live, options) }
}

/** The scheme that reads custom resources does not know a Scale, and says nothing else of one that it cannot read. */
function readable(info: ResourceInfo, read: () => Scale): Scale {
  try {
    return read()
  } catch (error) {
    if (!info.definition || !(error instanceof ApiError) || !/cannot be handled as a Scale/.test(error.message)) throw error
    const why = 'no kind is registered for the type v1.Scale in scheme "pkg/runtime/scheme.go:110"'
    throw new ApiError(400, 'BadRequest', why, undefined, error)
  }
}

/**
 * Where nobody is known to own a custom resource's replicas the real server would say who did before the first apply, and cannot: it
 * takes the Scale for a custom resource.
 */
function cannotConvert(): ApiError {
  const why = 'request to convert CR to an invalid group/version: autoscaling/v1'
  const which = 'failed to convert live object (/; autoscaling/v1, Kind=Scale) to proper version'
  return new ApiError(500, undefined, `failed to create manager for existing fields: ${which}: ${why}`)
}

/** By the apiVersion of who wrote: a custom kind has a path for each of its versions. */
function replicasPathOf(info: ResourceInfo, paths: ScalePaths): ReplicasPath {
  return (apiVersion) => (apiVersion.split('/').slice(0, -1).join('/') === info.group ? paths.specReplicas : undefined)
}

/** Where a CustomResourceDefinition says that its replicas are. */
export function customScalePaths({ definition }: ResourceInfo): ScalePaths | undefined {
  const scale = definition?.subresources?.scale
  if (!scale) return undefined
  const path = (text: string) => text.replace(/^\./, '').split('.')
  return {
    specReplicas: path(scale.specReplicasPath),
    statusReplicas: path(scale.statusReplicasPath),
    ...(scale.labelSelectorPath ? { selector: path(scale.labelSelectorPath) } : {}),
  }
}

type Tree = Record<string, unknown>

function scaleOf(object: KubeObject, paths: ScalePaths): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const tree = object as unknown as Tree
  const selector = selectorText(paths.selector ? at(tree, paths.selector) : undefined)
  const metadata = { name, namespace, uid, resourceVersion, creationTimestamp } as Scale['metadata']
  const replicas = at(tree, paths.specReplicas)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: typeof replicas === 'number' && replicas !== 0 ? { replicas } : {},
    status: { replicas: Number(at(tree, paths.statusReplicas) ?? 0), ...(selector ? { selector } : {}) },
  } as Scale
}

function check(info: ResourceInfo, scale: Scale, { metadata }: KubeObject, patches: boolean): void {
  const name = metadata.name ?? ''
  if (scale.metadata.name && scale.metadata.name !== name) {
    throw ApiError.badRequest(`the name of the object (${scale.metadata.name}) does not match the name on the URL (${name})`)
  }
  // of a custom resource its own validation speaks
  if (info.definition) return
  const replicas = scale.spec?.replicas ?? 0
  if (replicas < 0) {
    throw ApiError.invalid(scaleKind, name, [invalid(specPath.child('replicas'), replicas, 'must be greater than or equal to 0')])
  }
  const { uid } = scale.metadata
  if (!patches || !uid || uid === metadata.uid) return
  const failed = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`
  throw ApiError.conflict({ ...info, resource: `${info.resource}/scale` }, name, failed)
}

/** A selector as `kubectl get -l` takes it. */
function selectorText(selector: unknown): string {
  if (typeof selector === 'string') return selector
  if (typeof selector !== 'object' || selector === null) return ''
  const isSelector = 'matchLabels' in selector || 'matchExpressions' in selector
  const { matchLabels = {}, matchExpressions = [] } = (isSelector ? selector : { matchLabels: selector }) as LabelSelector
  const parts = Object.entries(matchLabels).map(([key, value]) => ({ key, text: `${key}=${value}` }))
  for (const { key, operator, values = [] } of matchExpressions) {
    const list = `(${[...values].sort().join(',')})`
    const text = { In: `${key} in ${list}`, NotIn: `${key} notin ${list}`, Exists: key, DoesNotExist: `!${key}` }[operator] ?? key
    parts.push({ key, text })
  }
  return parts
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ text }) => text)
    .join(',')
}

function at(tree: Tree, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (value as Tree | undefined)?.[name], tree)
}

function setAt(tree: Tree, path: readonly string[], value: unknown): void {
  const last = path.at(-1) as string
  let parent = tree
  for (const name of path.slice(0, -1)) parent = (parent[name] ??= {}) as Tree
  parent[last] = value
}
