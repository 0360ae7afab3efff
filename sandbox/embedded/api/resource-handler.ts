import { copyOf } from '../machinery/copy.ts'
import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import { sizeOfStored } from '../machinery/object-size.ts'
import { withPauses } from '../machinery/pieces.ts'
import { patchContentTypes } from '../patch/index.ts'
import type { GroupVersionKind, Verb } from '../registry/index.ts'
import { decodeObject, TypeMismatch } from '../schema/decode.ts'
import { assertBodyType, decodeAs, mediaType, notRegistered, type Parsed, parseBody, Unreadable, unreadable } from './body.ts'
import { type Outcome, objectOutcome, type ResourceCall } from './call.ts'
import { readConfiguration } from './configuration.ts'
import { type Deletion, deleteCollection, deleteObject, deletionAnswer } from './deletion.ts'
import { schemaFor, trackFields, type Writer } from './field-manager.ts'
import { assertVersion, listObjects } from './listing.ts'
import { matchName, matchNamespace, timestamp } from './object-meta.ts'
import { assertReadableVersion, deletionOptions, listOptions, type WriteOptions, writeOptions } from './options.ts'
import { withoutRepeatedOwners } from './owner-references.ts'
import { type PatchType, parsePatch, patchedObject } from './patched.ts'
import { largeObject, type Rest, type UpdateRules, type WriteRequest } from './rest.ts'
import { selection } from './selection.ts'
import { watchObjects } from './watch.ts'

/** The generic verbs over a resource, and over its subresources that are views of the same object. */
export class ResourceHandler {
  readonly rest: Rest

  constructor(rest: Rest) {
    this.rest = rest
  }

  /** Rejects with ApiError, or throws it. */
  handle(given: ResourceCall): Outcome | Promise<Outcome> {
    const { clock } = this.rest
    // who asks from within has turns of the cluster's own
    const call: ResourceCall = { pause: () => clock.during(clock.turn()), ...given }
    const { verb } = call.request
    const { name, subresource } = call.path
    const verbs = subresource ? call.info.subresources.find((known) => known.name === subresource)?.verbs : call.info.verbs
    if (!verbs) throw ApiError.unknownPath()
    if (!verbs.includes(verb as Verb)) throw ApiError.methodNotSupported(...refused(call))
    // a collection is neither replaced nor patched
    if (!name && (verb === 'update' || verb === 'patch')) throw ApiError.methodNotSupported()
    if (name && verb === 'create') throw ApiError.methodNotSupported()
    if (verb !== 'update') assertName(name)
    switch (verb) {
      case 'get':
        return this.get(call)
      case 'list':
        return this.list(call)
      case 'watch':
        return this.watch(call)
      case 'create':
        return this.create(call)
      case 'update':
        return this.update(call)
      case 'patch':
        return this.patch(call)
      case 'delete':
        return this.delete(call)
      case 'deletecollection':
        return this.deleteCollection(call)
      default:
        throw ApiError.methodNotSupported()
    }
  }

  /** PUT and PATCH of a subresource with rules of its own. */
  async writeSubresource(call: ResourceCall, rules: UpdateRules): Promise<Outcome> {
    return call.request.verb === 'patch' ? this.patch(call, rules) : this.update(call, rules)
  }

  writeRequest(call: ResourceCall, options: WriteOptions, kind: string): WriteRequest {
    const { info, path, user, warn, annotate, pause, large } = call
    return {
      ...(pause && { pause, large }),
      info,
      namespace: info.namespaced ? path.namespace : '',
      name: path.name,
      subresource: path.subresource,
      user,
      dryRun: options.dryRun,
      options: {
        kind,
        apiVersion: 'meta.k8s.io/v1',
        ...(options.dryRun ? { dryRun: ['All'] } : {}),
        ...(options.fieldManager ? { fieldManager: options.fieldManager } : {}),
        fieldValidation: options.fieldValidation,
        ...(options.force === undefined ? {} : { force: options.force }),
      },
      warn,
      annotate,
    }
  }

  /** The call's body as an object of a kind. */
  body(call: ResourceCall, expected: GroupVersionKind, options: Pick<WriteOptions, 'fieldValidation'>): KubeObject {
    return this.decoded(call, expected, this.parsed(call, expected.kind), options)
  }

  private decoded(
    call: ResourceCall,
    expected: GroupVersionKind,
    parsed: Parsed,
    options: Pick<WriteOptions, 'fieldValidation'>,
  ): KubeObject {
    return decodeAs(expected, parsed, options.fieldValidation, call.warn, call.info === expected ? call.info.decode : undefined)
  }

  /** The call's body as data. Throws ApiError for one that is no object. */
  parsed(call: ResourceCall, kind: string): Parsed {
    if (call.value !== undefined) return { value: call.value as Record<string, unknown> }
    const bytes = call.body ?? new Uint8Array()
    try {
      return parseBody(bytes, call.headers['content-type'], call.yaml)
    } catch (error) {
      if (error instanceof Unreadable) throw unreadable(error, kind, bytes)
      throw error
    }
  }

  private async get(call: ResourceCall): Promise<Outcome> {
    const { info, path, request } = call
    assertVersion(request.query, this.rest.store.revision)
    return objectOutcome(await this.rest.get(info, path.namespace, path.name), info)
  }

  private async list(call: ResourceCall): Promise<Outcome> {
    const { info, path, request } = call
    const options = listOptions(request.query)
    const selected = selection(info, options.labelSelector, options.fieldSelector)
    assertReadableVersion(options)
    return { type: 'list', listing: await listObjects(this.rest.store, info, path.namespace, options, selected) }
  }

  private watch(call: ResourceCall): Outcome {
    const { info, path, request, signal } = call
    const { store, clock, random } = this.rest
    const options = { ...listOptions(request.query), watch: true }
    const selected = selection(info, options.labelSelector, options.fieldSelector, path.name)
    assertReadableVersion(options)
    const events = watchObjects({ store, clock, random, info, namespace: path.namespace, options, selection: selected, signal })
    return { type: 'watch', info, events }
  }

  private async create(call: ResourceCall): Promise<Outcome> {
    const { info } = call
    if (call.value === undefined) assertBodyType(call.headers['content-type'])
    const options = writeOptions(call.request.query, 'CreateOptions')
    const pause = pauseOf(call)
    const parsed = this.parsed(call, info.kind)
    await pause?.()
    const object = this.decoded(call, info, parsed, options)
    info.strategy.default(object)
    withoutRepeatedOwners(object, call.warn, false)
    await pause?.()
    await this.track(call, options, undefined, object)
    await pause?.()
    return objectOutcome(await this.rest.create(this.writeRequest(call, options, 'CreateOptions'), object), info, 201)
  }

  private async update(call: ResourceCall, rules?: UpdateRules): Promise<Outcome> {
    const { info } = call
    const options = writeOptions(call.request.query, 'UpdateOptions')
    const parsed = this.parsed(call, info.kind)
    await pauseOf(call)?.()
    const body = this.decoded(call, info, parsed, options)
    matchNamespace(info, body, call.path.namespace)
    matchName(body, call.path.name)
    const produce = async (existing: KubeObject | undefined) => {
      const pause = pauseOf(call, existing)
      await pause?.()
      const object = copyOf(body)
      info.strategy.default(object)
      withoutRepeatedOwners(object, call.warn, false)
      await pause?.()
      await this.track(call, options, existing, object)
      return object
    }
    const { object, created } = await this.rest.update(this.writeRequest(call, options, 'UpdateOptions'), produce, rules ? { rules } : {})
    return objectOutcome(object, info, created ? 201 : 200)
  }

  private async patch(call: ResourceCall, rules?: UpdateRules): Promise<Outcome> {
    const { info } = call
    const type = patchContentTypes[mediaType(call.headers['content-type'])]
    if (!type) throw ApiError.routeUnsupported()
    if (type === 'strategic' && info.definition) {
      const types = Object.entries(patchContentTypes).filter(([, one]) => one !== 'strategic')
      throw ApiError.unsupportedMediaType(types.map(([name]) => name))
    }
    const options = writeOptions(call.request.query, 'PatchOptions', type)
    const request = { ...this.writeRequest(call, options, 'PatchOptions'), patches: true }
    if (type !== 'apply') {
      if (!this.rest.has(info, request.namespace, request.name)) throw ApiError.notFound(info, request.name)
      const patch = call.value ?? parsePatch(call.body ?? new Uint8Array(), type, options.fieldValidation)
      await pauseOf(call)?.()
      const produce = (existing: KubeObject | undefined) => this.patched(call, type, patch, existing as KubeObject, options)
      const { object } = await this.rest.update(request, produce, rules ? { rules } : {})
      return objectOutcome(object, info)
    }
    const configuration = readConfiguration(call, info, options)
    await pauseOf(call)?.()
    const produce = async (existing: KubeObject | undefined) => {
      const pause = pauseOf(call, existing)
      const object = await withPauses(configuration.appliedTo(existing, this.writer(call, options)), pause)
      info.strategy.default(object)
      await pause?.()
      return object
    }
    const mayCreate = !call.path.subresource
    const { object, created } = await this.rest.update(request, produce, { ...(rules ? { rules } : {}), mayCreate })
    return objectOutcome(object, info, created ? 201 : 200)
  }

  private async patched(
    call: ResourceCall,
    type: PatchType,
    patch: unknown,
    existing: KubeObject,
    options: WriteOptions,
  ): Promise<KubeObject> {
    const { info } = call
    const pause = pauseOf(call, existing)
    await pause?.()
    const object = patchedObject(type, existing, patch, {
      kind: info,
      schema: info.definition ? undefined : schemaFor(info),
      decoder: info.decode,
      validation: options.fieldValidation,
      decoded: info.strategy.sharesSpec && call.path.subresource === 'status' ? { spec: (existing as { spec?: unknown }).spec } : undefined,
      warn: options.fieldValidation === 'Warn' ? call.warn : () => {},
    })
    await pause?.()
    info.strategy.default(object)
    await this.track(call, options, existing, object)
    await pause?.()
    return object
  }

  private async delete(call: ResourceCall): Promise<Outcome> {
    const { request, body } = this.deletion(call)
    const deletion: Deletion = await deleteObject(this.rest, request, body)
    return objectOutcome(deletionAnswer(call.info, deletion), call.info)
  }

  private async deleteCollection(call: ResourceCall): Promise<Outcome> {
    const options = listOptions(call.request.query)
    const selected = selection(call.info, options.labelSelector, options.fieldSelector)
    const { request, body } = this.deletion(call)
    assertReadableVersion(options)
    // what cannot be listed is not deleted either
    await listObjects(this.rest.store, call.info, call.path.namespace, options, selected)
    const items = await deleteCollection(this.rest, { ...request, namespace: call.path.namespace }, body, selected)
    return { type: 'list', listing: { info: call.info, items, metadata: { resourceVersion: String(this.rest.store.revision) } } }
  }

  private deletion(call: ResourceCall) {
    const given = call.value ?? (call.body?.length ? parseDeleteOptions(call.body, call.headers['content-type']) : undefined)
    const body = deletionOptions(call.request.query, given as Record<string, unknown> | undefined)
    const options: WriteOptions = { dryRun: body.dryRun, fieldManager: '', fieldValidation: 'Ignore' }
    return { body, request: { ...this.writeRequest(call, options, 'DeleteOptions'), options: { kind: 'DeleteOptions', ...body } } }
  }

  /** Notes in a draft's managedFields who is about to write it. */
  track(call: ResourceCall, options: WriteOptions, existing: KubeObject | undefined, object: KubeObject): void | Promise<void> {
    return withPauses(trackFields(call.info, existing, object, this.writer(call, options)), pauseOf(call, existing))
  }

  /** Who writes, and when. */
  writer({ headers, path }: ResourceCall, options: WriteOptions): Writer {
    const manager = options.fieldManager || managerOf(headers['user-agent'])
    return { manager, subresource: path.subresource, time: timestamp(this.rest.clock.now()) }
  }
}

/** How a call that is about something large lets others in between; nothing for all others. */
function pauseOf(call: ResourceCall, existing?: KubeObject): ResourceCall['pause'] {
  return call.large || (existing && sizeOfStored(existing) > largeObject) ? call.pause : undefined
}

/** What is told of a verb that there is not: who serves custom resources names both. */
export function refused({ info, request }: ResourceCall): [of?: { group: string; resource: string }, verb?: string] {
  return info.definition ? [info, request.verb] : []
}

/** Names that cannot be a part of a key. Throws ApiError BadRequest. */
function assertName(name: string): void {
  if (name === '.' || name === '..') throw ApiError.badRequest(`Name parameter invalid: ${JSON.stringify(name)}: may not be '${name}'`)
}

const deleteOptions = 'meta.v1.DeleteOptions'

/** The options in a deletion's body. What is wrong with them is no client's error on the real server either. */
function parseDeleteOptions(bytes: Uint8Array, contentType: string | undefined): Record<string, unknown> {
  try {
    const { value } = parseBody(bytes, contentType)
    const { kind, apiVersion } = value
    if (kind && kind !== 'DeleteOptions') throw new Unreadable(notRegistered(String(kind), String(apiVersion || 'meta.k8s.io/v1')))
    return decodeObject(value, deleteOptions).object
  } catch (error) {
    if (error instanceof Unreadable || error instanceof TypeMismatch) throw new ApiError(500, undefined, error.message, undefined, error)
    throw error
  }
}

/** Without a name of its own a manager is called after its program. */
function managerOf(userAgent = ''): string {
  return (userAgent.split('/')[0] ?? '').slice(0, 128) || 'unknown'
}
