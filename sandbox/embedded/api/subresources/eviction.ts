import { copyOf } from '../../machinery/copy.ts'
import { ApiError, type Status } from '../../machinery/errors.ts'
import type { KubeObject } from '../../machinery/object.ts'
import { selectorMatches } from '../../registry/metadata.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { Eviction, PodDisruptionBudget } from '../../schema/types/policy.v1.ts'
import { type Outcome, objectOutcome, type ResourceCall } from '../call.ts'
import { deleteObject } from '../deletion.ts'
import { timestamp } from '../object-meta.ts'
import { type DeletionOptions, deletionOptions, writeOptions } from '../options.ts'
import type { ResourceHandler } from '../resource-handler.ts'
import type { ServedResources } from '../resources.ts'
import type { UpdateRules } from '../rest.ts'

const evictionKind = { group: 'policy', version: 'v1', kind: 'Eviction' }
const longestDisruptedPods = 2000

/** POST of an Eviction: deletes the pod when its PodDisruptionBudget allows another disruption, else 429. */
export function evictionHandler(generic: ResourceHandler, resources: ServedResources) {
  return async (call: ResourceCall): Promise<Outcome> => {
    if (call.request.verb !== 'create') throw ApiError.methodNotSupported()
    const { rest } = generic
    const { info, path } = call
    const options = writeOptions(call.request.query, 'CreateOptions')
    const eviction = generic.body(call, evictionKind, options) as Eviction
    if (eviction.metadata.name !== path.name) {
      throw ApiError.badRequest('name in URL does not match name in Eviction object')
    }
    const given = deletionOptions(new URLSearchParams(), (eviction.deleteOptions as Record<string, unknown> | undefined) ?? {})
    const deletion: DeletionOptions = { ...given, dryRun: given.dryRun || options.dryRun }
    const write = { ...generic.writeRequest(call, options, 'CreateOptions'), dryRun: deletion.dryRun }
    await rest.admitBody(write, 'CREATE', eviction)
    const pod = (await rest.get(info, path.namespace, path.name)) as Pod
    if (!ignoresBudgets(pod)) await takeBudget(generic, resources, call, pod, deletion.dryRun)
    if (!deletion.dryRun)
      await rest.update(write, (existing) => targeted(existing as Pod, timestamp(rest.clock.now())), { rules: unchecked, admit: false })
    await deleteObject(rest, { ...write, subresource: '' }, deletion)
    const success: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }
    return objectOutcome(success, undefined, 201)
  }
}

/** The pod with the condition that says why it goes. */
function targeted(existing: Pod, now: string): Pod {
  const pod = copyOf(existing) as Pod
  const others = pod.status?.conditions?.filter(({ type }) => type !== 'DisruptionTarget') ?? []
  const condition = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' }
  pod.status = { ...pod.status, conditions: [...others, { ...condition, lastProbeTime: null, lastTransitionTime: now } as never] }
  return pod
}

/** A pod that doesn't run disrupts nobody. */
function ignoresBudgets({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined || ['Succeeded', 'Failed', 'Pending'].includes(status?.phase ?? '')
}

async function takeBudget(
  generic: ResourceHandler,
  resources: ServedResources,
  call: ResourceCall,
  pod: Pod,
  dryRun: boolean,
): Promise<void> {
  const { rest } = generic
  const info = resources.find('policy', 'v1', 'poddisruptionbudgets')
  if (!info) return
  const budgets = (rest.store.list('poddisruptionbudgets.policy', call.path.namespace) as PodDisruptionBudget[]).filter((budget) =>
    selectorMatches(budget.spec?.selector, pod.metadata.labels),
  )
  const [budget] = budgets
  if (!budget) return
  if (budgets.length > 1) {
    throw new ApiError(500, undefined, 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.')
  }
  const ready = pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false
  if (!ready && toleratesUnready(budget)) return
  const name = budget.metadata.name as string
  const produce = (existing: KubeObject | undefined) => {
    const next = copyOf(existing) as PodDisruptionBudget
    const { status } = next
    if (!status || (status.observedGeneration ?? 0) < (next.metadata.generation ?? 0)) throw tooSoon(name)
    if (status.disruptionsAllowed < 0) throw ApiError.forbidden(info, name, 'pdb disruptions allowed is negative')
    if (Object.keys(status.disruptedPods ?? {}).length > longestDisruptedPods) {
      throw ApiError.forbidden(info, name, 'DisruptedPods map too big - too many evictions not confirmed by PDB controller')
    }
    if (status.disruptionsAllowed === 0) throw exhausted(next)
    status.disruptionsAllowed--
    status.disruptedPods = { ...status.disruptedPods, [pod.metadata.name as string]: timestamp(rest.clock.now()) }
    return next
  }
  const write = {
    ...generic.writeRequest(call, { dryRun, fieldManager: '', fieldValidation: 'Ignore' }, 'UpdateOptions'),
    info,
    name,
    subresource: 'status',
  }
  await rest.update(write, produce, { rules: unchecked, admit: false })
}

/** A pod that isn't ready may go when enough others are healthy, or always when the budget says so. */
function toleratesUnready({ spec, status }: PodDisruptionBudget): boolean {
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true
  return (status?.currentHealthy ?? 0) >= (status?.desiredHealthy ?? 0) && (status?.desiredHealthy ?? 0) > 0
}

function tooSoon(name: string): ApiError {
  const causes = [{ reason: 'DisruptionBudget', message: `The disruption budget ${name} is still being processed by the server.` }]
  return ApiError.tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 10, causes)
}

function exhausted({ metadata, status }: PodDisruptionBudget): ApiError {
  const insufficient = status?.conditions?.find((condition) => condition.type === 'DisruptionAllowed' && condition.status === 'False')
  const numbers = `needs ${status?.desiredHealthy} healthy pods and has ${status?.currentHealthy} currently`
  const message =
    insufficient?.reason === 'SyncFailed'
      ? `The disruption budget ${metadata.name} does not allow evicting pods currently because it failed sync: ${insufficient.message}`
      : `The disruption budget ${metadata.name} ${numbers}`
  return ApiError.tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0, [
    { reason: 'DisruptionBudget', message },
  ])
}

const unchecked: UpdateRules = { prepare: () => {}, validate: () => [] }
