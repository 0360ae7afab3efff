import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { ApiError, isAlreadyExists, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { StatefulSet } from '../schema/types/apps.v1.ts'
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, Volume } from '../schema/types/core.v1.ts'
import type { OwnerReference } from '../schema/types/meta.v1.ts'
import { revisionHashLabel } from './controller-revision.ts'
import { semanticEqual } from './equality.ts'
import { messageOf } from './failure.ts'
import { controllerReference } from './owner.ts'
import { podFromTemplate } from './pod.ts'

/** A StatefulSet's Pods: names, identities and claims. */

export const component = 'statefulset-controller'

export function startOrdinal(set: StatefulSet): number {
  return set.spec?.ordinals?.start ?? 0
}

/** The number at the end of a Pod's name, or -1 when the name is not of this set. */
export function ordinalOf(set: StatefulSet, name: string | undefined): number {
  const prefix = `${set.metadata.name}-`
  const suffix = name?.startsWith(prefix) ? name.slice(prefix.length) : ''
  return /^\d+$/.test(suffix) ? Number(suffix) : -1
}

export function newPod(set: StatefulSet, template: PodTemplateSpec, revision: string, ordinal: number): Pod {
  const pod = podFromTemplate(template, set)
  const name = `${set.metadata.name}-${ordinal}`
  pod.metadata.name = name
  pod.metadata.labels = { ...pod.metadata.labels, ...identityLabels(name, ordinal), [revisionHashLabel]: revision }
  if (pod.spec) {
    pod.spec.hostname = name
    if (set.spec?.serviceName) pod.spec.subdomain = set.spec.serviceName
    pod.spec.volumes = withClaims(set, pod, ordinal)
  }
  return pod
}

function identityLabels(name: string, ordinal: number): Record<string, string> {
  return { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(ordinal) }
}

/** Gives a Pod the labels of its identity back if somebody took them. */
export async function restoreIdentity(context: ClusterContext, set: StatefulSet, pod: Pod): Promise<void> {
  const { name = '', namespace, labels } = pod.metadata
  const own = identityLabels(name, ordinalOf(set, name))
  if (Object.entries(own).every(([key, value]) => labels?.[key] === value)) return
  try {
    await context.client.patch(resources.pods, name, { metadata: { labels: own } }, 'merge', { namespace })
  } catch (error) {
    recordPod(context, set, 'update', pod, error)
    throw error
  }
  recordPod(context, set, 'update', pod)
}

/** The template's volumes, with those of the same names as claim templates replaced by the Pod's own claims. */
function withClaims(set: StatefulSet, pod: Pod, ordinal: number): Volume[] {
  const claims = claimsFor(set, ordinal)
  const others = (pod.spec?.volumes ?? []).filter(({ name }) => !claims.some(({ template }) => template === name))
  const own = claims.map(({ template, claim }) => ({ name: template, persistentVolumeClaim: { claimName: claim.metadata.name ?? '' } }))
  return [...own, ...others]
}

function claimsFor(set: StatefulSet, ordinal: number): { template: string; claim: PersistentVolumeClaim }[] {
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => {
    const claim = copyOf(template)
    const labels = { ...claim.metadata.labels, ...set.spec?.selector.matchLabels }
    const metadata = {
      ...claim.metadata,
      name: `${template.metadata.name}-${set.metadata.name}-${ordinal}`,
      namespace: set.metadata.namespace,
      labels,
    }
    return {
      template: template.metadata.name ?? '',
      claim: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: claim.spec },
    }
  })
}

/** Makes the claims that the Pod needs and that are not there, then the Pod. */
export async function createStatefulPod(context: ClusterContext, set: StatefulSet, pod: Pod, ordinal: number): Promise<void> {
  // Whoever waits for a claim has seen it before the Pod is there: a request takes longer than a look.
  if (await createMissingClaims(context, set, pod, ordinal)) await new Promise<void>((resolve) => setImmediate(resolve))
  try {
    await context.client.create(resources.pods, pod, { namespace: set.metadata.namespace })
  } catch (error) {
    if (isAlreadyExists(error)) throw error
    recordPod(context, set, 'create', pod, error)
    throw error
  }
  recordPod(context, set, 'create', pod)
}

export async function deleteStatefulPod(context: ClusterContext, set: StatefulSet, pod: Pod): Promise<void> {
  try {
    await context.client.delete(resources.pods, pod.metadata.name ?? '', pod.metadata.namespace)
  } catch (error) {
    if (isNotFound(error)) return
    recordPod(context, set, 'delete', pod, error)
    throw error
  }
  recordPod(context, set, 'delete', pod)
}

/** Makes those of the Pod's claims that are not there; true when there were any. */
export async function createMissingClaims(context: ClusterContext, set: StatefulSet, pod: Pod, ordinal: number): Promise<boolean> {
  let made = false
  for (const { claim } of claimsFor(set, ordinal)) {
    const { name = '', namespace } = claim.metadata
    const existing = context.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, name, namespace)
    if (existing?.metadata.deletionTimestamp) throw notYet(name, 'it is being deleted')
    if (existing && isStale(existing, pod)) throw notYet(name, `it goes with an earlier pod ${pod.metadata.name}`)
    if (existing) continue
    try {
      await context.client.create(resources.persistentVolumeClaims, claim, { namespace })
    } catch (error) {
      recordClaim(context, set, pod, name, error)
      throw new Error(`failed to create PVC ${name}: ${messageOf(error)}`, { cause: error })
    }
    recordClaim(context, set, pod, name)
    made = true
  }
  return made
}

/** The next attempt may find the claim gone. */
function notYet(claim: string, why: string): ApiError {
  return ApiError.conflict(resources.persistentVolumeClaims, claim, why)
}

/** Owned by an earlier Pod of the same name, with which the garbage collector will take it. */
function isStale(claim: PersistentVolumeClaim, pod: Pod): boolean {
  const owners = claim.metadata.ownerReferences ?? []
  return owners.some(({ kind, name, uid }) => kind === 'Pod' && name === pod.metadata.name && uid !== pod.metadata.uid)
}

/** Makes claims go with the set, or with a Pod that is scaled away, as the set's retention policy says. */
export async function applyRetentionPolicy(context: ClusterContext, set: StatefulSet, pod: Pod, condemned: boolean): Promise<void> {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {}
  for (const { claim } of claimsFor(set, ordinalOf(set, pod.metadata.name))) {
    const { name = '', namespace } = claim.metadata
    const existing = context.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, name, namespace)
    if (!existing) continue
    const { controller: _ofSet, blockOwnerDeletion: _block, ...setReference } = controllerReference(set)
    const podReference = { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name ?? '', uid: pod.metadata.uid ?? '' }
    const others = (existing.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== set.metadata.uid && uid !== pod.metadata.uid)
    const wanted: OwnerReference[] = [...others]
    if (condemned && whenScaled === 'Delete') wanted.push(podReference)
    else if (whenDeleted === 'Delete') wanted.push({ ...setReference, controller: true })
    if (semanticEqual(existing.metadata.ownerReferences, wanted)) continue
    const patch = { metadata: { uid: existing.metadata.uid, ownerReferences: wanted.length > 0 ? wanted : null } }
    await context.client.patch(resources.persistentVolumeClaims, name, patch, 'merge', { namespace })
  }
}

type Verb = 'create' | 'update' | 'delete'

function recordPod(context: ClusterContext, set: StatefulSet, verb: Verb, pod: Pod, error?: unknown): void {
  const start = `${verb} Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name}`
  record(context, set, verb, error === undefined ? `${start} successful` : `${start} failed error: ${messageOf(error)}`, error)
}

function recordClaim(context: ClusterContext, set: StatefulSet, pod: Pod, claim: string, error?: unknown): void {
  const message =
    error === undefined
      ? `create Claim ${claim} Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name} success`
      : `create Claim ${claim} for Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name} failed error: ${messageOf(error)}`
  record(context, set, 'create', message, error)
}

function record(context: ClusterContext, set: StatefulSet, verb: Verb, message: string, error: unknown): void {
  const what = `${verb[0]?.toUpperCase()}${verb.slice(1)}`
  const [type, reason] = error === undefined ? (['Normal', `Successful${what}`] as const) : (['Warning', `Failed${what}`] as const)
  context.events.event(set, type, reason, message, { component })
}
