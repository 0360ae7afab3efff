import { copyOf } from '../../machinery/copy.ts'
import { ApiError } from '../../machinery/errors.ts'
import type { KubeObject } from '../../machinery/object.ts'
import { patchContentTypes } from '../../patch/index.ts'
import { invalid, specPath } from '../../registry/field.ts'
import type { ResourceInfo } from '../../registry/index.ts'
import { schemaOf } from '../../schema/index.ts'
import type { Scale } from '../../schema/types/autoscaling.v1.ts'
import type { LabelSelector } from '../../schema/types/meta.v1.ts'
import { mediaType, parseBody } from '../body.ts'
import { type Outcome, objectOutcome, type ResourceCall } from '../call.ts'
import { assertVersion } from '../listing.ts'
import { matchName } from '../object-meta.ts'
import { type WriteOptions, writeOptions } from '../options.ts'
import { parsePatch, patchedObject } from '../patched.ts'
import type { ResourceHandler } from '../resource-handler.ts'

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
    if (request.verb === 'get') return objectOutcome(scaleOf(await generic.rest.get(info, path.namespace, path.name), paths))
    if (request.verb !== 'update' && request.verb !== 'patch') throw ApiError.methodNotSupported()
    const type = request.verb === 'patch' ? patchContentTypes[mediaType(call.headers['content-type'])] : undefined
    if (request.verb === 'patch' && !type) throw ApiError.routeUnsupported()
    const options = writeOptions(request.query, type ? 'PatchOptions' : 'UpdateOptions', type)
    const given = type ? undefined : (generic.body(call, scaleKind, options) as Scale)
    if (given) matchName(given, path.name)
    const write = generic.writeRequest(call, options, request.verb === 'patch' ? 'PatchOptions' : 'UpdateOptions')
    const produce = (existing: KubeObject | undefined) => {
      const current = existing as KubeObject
      const scale = given ?? patched(call, scaleOf(current, paths), type ?? 'merge', options)
      check(scale, path.name)
      const next = copyOf(current)
      setAt(next as unknown as Tree, paths.specReplicas, scale.spec?.replicas ?? 0)
      if (given) next.metadata.resourceVersion = (given.metadata.resourceVersion || current.metadata.resourceVersion) as string
      if (ownsReplicas(current, paths)) {
        // a Scale leaves out a zero, so nobody owns it; and what nobody owned stays nobody's
        const after = withoutZero(next, paths)
        generic.track(call, options, withoutZero(current, paths), after)
        if (after.metadata.managedFields) next.metadata.managedFields = after.metadata.managedFields
      }
      return next
    }
    const { object } = await generic.rest.update(write, produce)
    return objectOutcome(scaleOf(object, paths))
  }
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

/** An apply is a merge here: of a Scale's fields there is only one. */
function patched(call: ResourceCall, scale: Scale, type: 'json' | 'merge' | 'strategic' | 'apply', options: WriteOptions): Scale {
  const schema = schemaOf(scaleKind.group, scaleKind.version, scaleKind.kind)
  const bytes = call.body ?? new Uint8Array()
  const patch = call.value ?? (type === 'apply' ? parseBody(bytes, 'application/yaml').value : parsePatch(bytes, type))
  const how = { kind: scaleKind, schema, validation: options.fieldValidation, warn: call.warn }
  return patchedObject(type === 'apply' ? 'merge' : type, scale, patch, how) as Scale
}

function check(scale: Scale, name: string): void {
  if (scale.metadata.name && scale.metadata.name !== name) {
    throw ApiError.badRequest(`the name of the object (${scale.metadata.name}) does not match the name on the URL (${name})`)
  }
  const replicas = scale.spec?.replicas ?? 0
  if (replicas >= 0) return
  throw ApiError.invalid(scaleKind, name, [invalid(specPath.child('replicas'), replicas, 'must be greater than or equal to 0')])
}

/** A selector as `kubectl get -l` takes it. */
function selectorText(selector: unknown): string {
  if (typeof selector === 'string') return selector
  if (typeof selector !== 'object' || selector === null) return ''
  const isSelector = 'matchLabels' in selector || 'matchExpressions' in selector
  const { matchLabels = {}, matchExpressions = [] } = (isSelector ? selector : { matchLabels: selector }) as LabelSelector
  const parts = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`)
  for (const { key, operator, values = [] } of matchExpressions) {
    const list = `(${[...values].sort().join(',')})`
    parts.push({ In: `${key} in ${list}`, NotIn: `${key} notin ${list}`, Exists: key, DoesNotExist: `!${key}` }[operator] ?? key)
  }
  return parts.sort().join(',')
}

function at(tree: Tree, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (value as Tree | undefined)?.[name], tree)
}

/** The object as a Scale shows it. */
function withoutZero(object: KubeObject, { specReplicas }: ScalePaths): KubeObject {
  const shown = copyOf(object)
  if (at(shown as unknown as Tree, specReplicas) !== 0) return shown
  const parent = at(shown as unknown as Tree, specReplicas.slice(0, -1)) as Tree
  delete parent[specReplicas.at(-1) as string]
  return shown
}

function ownsReplicas({ metadata }: KubeObject, { specReplicas }: ScalePaths): boolean {
  const field = specReplicas.map((name) => `f:${name}`)
  return metadata.managedFields?.some(({ fieldsV1 }) => fieldsV1 && at(fieldsV1 as Tree, field) !== undefined) ?? false
}

function setAt(tree: Tree, path: readonly string[], value: unknown): void {
  const last = path.at(-1) as string
  let parent = tree
  for (const name of path.slice(0, -1)) parent = (parent[name] ??= {}) as Tree
  parent[last] = value
}
