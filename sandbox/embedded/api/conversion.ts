import { freezeSharing } from '../machinery/freeze.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/index.ts'
import { asJson, asStored } from '../schema/go-empty.ts'
import { apiVersionOf } from './resources.ts'

/** What a stored object is in a version, as long as both live. */
const known = new WeakMap<ResourceInfo, WeakMap<KubeObject, KubeObject>>()

/** A stored object, frozen, in the version of a ResourceInfo. Where a webhook converts, `prepareServed` must have been awaited. */
export function served(info: ResourceInfo, stored: KubeObject): KubeObject {
  const { conversion } = info
  if (!conversion) return stored
  const cache = cacheOf(info)
  const found = cache.get(stored)
  if (found) return found
  if (isForeign(info, stored)) throw new Error(`a ${info.kind} was read as ${info.version} before it was converted`)
  return remember(info, stored, stored)
}

/** Lets a version's webhook, where it has one, convert stored objects, all in one request. Rejects with ApiError. */
export async function prepareServed(info: ResourceInfo, stored: readonly KubeObject[]): Promise<void> {
  const { conversion } = info
  if (!conversion?.webhook) return
  const cache = cacheOf(info)
  const missing = stored.filter((object) => isForeign(info, object) && !cache.has(object))
  if (missing.length === 0) return
  const converted = await conversion.webhook(missing, apiVersionOf(info))
  for (const [index, object] of missing.entries()) remember(info, object, converted[index] as KubeObject)
}

/** `prepareServed` and `served` of one object. */
export function readServed(info: ResourceInfo, stored: KubeObject): KubeObject | Promise<KubeObject> {
  return info.conversion?.webhook ? prepareServed(info, [stored]).then(() => served(info, stored)) : served(info, stored)
}

/** Kept in etcd as JSON by the servers within the server. */
const asText = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io'])

/** An object, in its own version, as it comes back from where it is stored; also what a dry run is answered with. */
export function throughStorage(info: ResourceInfo, object: KubeObject): KubeObject {
  if (info.definition) return object
  const stored = asText.has(info.storage.group) ? asJson(object) : asStored(object)
  // what is read from there gets its defaults again
  if (stored !== object) info.strategy.default(stored)
  return stored
}

/** An object of a version as it is stored. Rejects with ApiError where a webhook fails. */
export async function toStored(info: ResourceInfo, object: KubeObject): Promise<KubeObject> {
  const { conversion } = info
  if (!conversion) return object
  const apiVersion = apiVersionOf(info.storage)
  if (!conversion.webhook || object.apiVersion === apiVersion) return conversion.toStorage(object)
  const [converted] = await conversion.webhook([object], apiVersion)
  return conversion.toStorage(converted as KubeObject)
}

function isForeign(info: ResourceInfo, { apiVersion }: KubeObject): boolean {
  return info.conversion?.webhook !== undefined && apiVersion !== apiVersionOf(info)
}

function remember(info: ResourceInfo, stored: KubeObject, object: KubeObject): KubeObject {
  const made = freezeSharing(info.conversion?.fromStorage(object) ?? object, stored)
  cacheOf(info).set(stored, made)
  return made
}

function cacheOf(info: ResourceInfo): WeakMap<KubeObject, KubeObject> {
  let cache = known.get(info)
  if (!cache) known.set(info, (cache = new WeakMap()))
  return cache
}
