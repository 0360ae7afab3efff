import type { Clock } from '../clock.ts'
import { ApiError } from '../machinery/errors.ts'
import { deepEqual } from '../machinery/freeze.ts'
import type { KubeObject } from '../machinery/object.ts'
import { randomLetters } from '../machinery/random.ts'
import type { ResourceInfo } from '../registry/index.ts'
import { throughStorage } from './conversion.ts'

const suffixLength = 5
const longestPrefix = 63 - suffixLength

/** RFC 3339 with whole seconds, as metav1.Time. */
export function timestamp(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== lastSecond) {
    lastTimestamp = `${new Date(second * 1000).toISOString().slice(0, 19)}Z`
    lastSecond = second
  }
  return lastTimestamp
}

/** Many are asked for in the same second. */
let lastSecond = Number.NaN
let lastTimestamp = ''

/** The fields that the system gives a new object, and the generated name. Changes the object. */
export function fillSystemFields(object: KubeObject, clock: Clock, random: () => number): void {
  const { metadata } = object
  for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink'] as const) delete metadata[field]
  metadata.uid = uuid(random)
  metadata.creationTimestamp = timestamp(clock.now())
  if (metadata.generateName && !metadata.name) metadata.name = generatedName(metadata.generateName, random)
}

export function generatedName(prefix: string, random: () => number): string {
  return prefix.slice(0, longestPrefix) + randomLetters(random, suffixLength)
}

/** A random UUID (version 4) from the cluster's chance. */
export function uuid(random: () => number): string {
  let text = ''
  for (let index = 0; index < 16; index++) {
    let byte = Math.floor(random() * 256)
    if (index === 6) byte = (byte & 0x0f) | 0x40
    else if (index === 8) byte = (byte & 0x3f) | 0x80
    if (index === 4 || index === 6 || index === 8 || index === 10) text += '-'
    text += hexadecimal[byte]
  }
  return text
}

const hexadecimal = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Sets the namespace of the URL where the object has none. Throws ApiError BadRequest when they differ. */
export function matchNamespace(info: ResourceInfo, object: KubeObject, namespace: string): void {
  const expected = info.namespaced ? namespace : ''
  const { metadata } = object
  if (!metadata.namespace) {
    if (expected) metadata.namespace = expected
    return
  }
  if (metadata.namespace === expected) return
  if (!expected) {
    // A cluster-scoped object with a namespace is refused by its validation unless it is left out here.
    delete metadata.namespace
    return
  }
  throw ApiError.badRequest('the namespace of the provided object does not match the namespace sent on the request')
}

/** Throws ApiError BadRequest when an object's name isn't that of the URL. */
export function matchName(object: KubeObject, name: string): void {
  const given = object.metadata.name
  if (!given) throw ApiError.badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`)
  if (given !== name) throw ApiError.badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`)
}

/** What an update may not change: taken over from the stored object. Changes the new one. */
export function keepSystemFields(object: KubeObject, old: KubeObject): void {
  const { metadata } = object
  metadata.uid ||= old.metadata.uid as string
  if (old.metadata.creationTimestamp) metadata.creationTimestamp = old.metadata.creationTimestamp
  if (old.metadata.deletionTimestamp) metadata.deletionTimestamp = old.metadata.deletionTimestamp
  if (old.metadata.deletionGracePeriodSeconds !== undefined) {
    metadata.deletionGracePeriodSeconds ??= old.metadata.deletionGracePeriodSeconds
  }
  if (old.metadata.generation === undefined) delete metadata.generation
  else metadata.generation = old.metadata.generation
}

/** Raises the generation when an update has changed what the object asks for. Changes the new object. */
export function countGeneration(info: ResourceInfo, object: KubeObject, old: KubeObject): void {
  if (!info.strategy.tracksGeneration) return
  const before = old.metadata.generation ?? 0
  if ((object.metadata.generation ?? 0) > before) return
  const deploymentAnnotations =
    info.group === 'apps' &&
    info.resource === 'deployments' &&
    !deepEqual(object.metadata.annotations ?? {}, old.metadata.annotations ?? {})
  // lists without anything in them are mostly none for the comparison
  const counted = info.strategy.counted(info.strategy.countsEmpty ? object : throughStorage(info, object))
  if (deploymentAnnotations || !deepEqual(counted, info.strategy.counted(old))) object.metadata.generation = before + 1
}

/** Whether two versions differ in nothing but when a manager last wrote the same. */
export function sameButManagedTimes(object: KubeObject, old: KubeObject): boolean {
  return deepEqual(withoutTimes(object), withoutTimes(old))
}

function withoutTimes(object: KubeObject): KubeObject {
  const { managedFields, resourceVersion: _, ...metadata } = object.metadata
  const entries = managedFields?.map(({ time: _, ...entry }) => entry)
  return { ...object, metadata: { ...metadata, ...(entries ? { managedFields: entries } : {}) } }
}
