import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { resources } from '../machinery/object.ts'
import { matchesNode, noScheduleEffects, untoleratedTaint } from '../scheduler/node-selection.ts'
import type { DaemonSet, DaemonSetStatus } from '../schema/types/apps.v1.ts'
import type { Node, Pod, PodSpec, PodTemplateSpec, Toleration } from '../schema/types/core.v1.ts'
import { listRevisions, revisionHashLabel, revisionOf, truncateHistory, updateRevision } from './controller-revision.ts'
import { semanticEqual } from './equality.ts'
import { scaledValue } from './int-or-percent.ts'
import { candidatePods, claim, controllerOf, keyOf, splitKey, watchPodsOf } from './owner.ts'
import { availableAt, createPod, deletePod, isPodAvailable, isPodReady, podFromTemplate } from './pod.ts'
import { podTemplateHash } from './pod-template-hash.ts'
import { restAfter, WorkQueue } from './queue.ts'
import { slowStart } from './replicaset.ts'
import { isEmptySelector, matchesSelector } from './selector.ts'

const component = 'daemonset-controller'

/** How long a node's failed Pods are left before they are replaced, ms at first; doubled each time. */
const failedBackOff = { first: 1000, longest: 900_000 }

interface Sync {
  readonly context: ClusterContext
  readonly set: DaemonSet
  readonly nodes: readonly Node[]
  readonly pods: readonly Pod[]
  /** By the node they are on or meant for. */
  readonly byNode: ReadonlyMap<string | undefined, readonly Pod[]>
  /** Of the present template's revision. */
  readonly hash: string
}

/** Keeps one Pod of each DaemonSet on every node that its template allows. */
export function startDaemonSet(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const failures = new Map<string, { count: number; until: number }>()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncDaemonSet(context, queue, failures, key), { name: component }))
  stack.use(context.cache.watch<DaemonSet>(resources.daemonSets, ({ object }) => queue.add(keyOf(object))))
  stack.use(
    watchPodsOf<DaemonSet>(
      context,
      {
        resource: resources.daemonSets,
        kind: 'DaemonSet',
        matches: (set, pod) => matchesSelector(set.spec?.selector, pod.metadata.labels),
      },
      (set) => queue.add(keyOf(set)),
    ),
  )
  stack.use(
    context.cache.watch<Node>(resources.nodes, ({ type, object, previous }) => {
      const same =
        type === 'MODIFIED' &&
        semanticEqual(object.metadata.labels, previous?.metadata.labels) &&
        semanticEqual(object.spec, previous?.spec)
      if (same) return
      for (const set of context.cache.list<DaemonSet>(resources.daemonSets)) queue.add(keyOf(set))
    }),
  )
  return stack
}

type Failures = Map<string, { count: number; until: number }>

async function syncDaemonSet(context: ClusterContext, queue: WorkQueue, failures: Failures, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const set = context.cache.get<DaemonSet>(resources.daemonSets, name, namespace)
  if (!set?.spec) return
  if (isEmptySelector(set.spec.selector)) {
    const message = 'This daemon set is selecting all pods. A non-empty selector is required.'
    context.events.event(set, 'Warning', 'SelectingAll', message, { component })
    return
  }
  if (set.metadata.deletionTimestamp) return
  const hashOf = (collisions: number) => podTemplateHash(set.spec?.template as PodTemplateSpec, collisions || undefined)
  const update = await updateRevision(context, set, await listRevisions(context, set), hashOf, revisionHashLabel)
  const hash = update.metadata.labels?.[revisionHashLabel] ?? ''
  const sync = await observe(context, set, hash)
  await manage(sync, queue, failures)
  if (set.spec.updateStrategy?.type !== 'OnDelete') await rollingUpdate(await observe(context, set, hash))
  const after = await observe(context, set, hash)
  await truncateHistory(context, set, await listRevisions(context, set), new Set([hash, ...after.pods.map(revisionOf)]))
  // Pods are counted once they are seen, not in the sync that makes them.
  const seen = new Set(sync.pods.map(({ metadata }) => metadata.uid))
  const counted = after.pods.filter(({ metadata }) => seen.has(metadata.uid))
  await writeStatus(syncOf(context, set, hash, counted))
  checkAvailabilityLater(after, queue, key)
  queue.pause(key, restAfter(after.pods.length))
}

async function observe(context: ClusterContext, set: DaemonSet, hash: string): Promise<Sync> {
  const candidates = candidatePods(context, set).filter((pod) => controllerOf(pod) || !pod.metadata.deletionTimestamp)
  const pods = await claim(context, set, resources.pods, candidates, (pod) => matchesSelector(set.spec?.selector, pod.metadata.labels))
  return syncOf(context, set, hash, pods)
}

function syncOf(context: ClusterContext, set: DaemonSet, hash: string, pods: readonly Pod[]): Sync {
  const byNode = Map.groupBy(pods, (pod) => nodeOf(pod))
  return { context, set, nodes: context.cache.list<Node>(resources.nodes), pods, byNode, hash }
}

/** The node a daemon Pod is on or, by its affinity, is meant for. */
function nodeOf(pod: Pod): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  return terms.flatMap(({ matchFields }) => matchFields ?? []).find((field) => field.key === 'metadata.name')?.values?.[0]
}

/** Whether a Pod should be started on the node, and whether one that is there may stay. */
function shouldRun({ set }: Sync, node: Node): { start: boolean; stay: boolean } {
  const template = set.spec?.template.spec
  if (!template) return { start: false, stay: false }
  const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec: template }
  const tolerations = withDaemonTolerations(template)
  if ((template.nodeName && template.nodeName !== node.metadata.name) || !matchesNode(pod, node)) return { start: false, stay: false }
  const taints = node.spec?.taints ?? []
  if (!untoleratedTaint(taints, tolerations, noScheduleEffects)) return { start: true, stay: true }
  return { start: false, stay: !untoleratedTaint(taints, tolerations, ['NoExecute']) }
}

function withDaemonTolerations(spec: PodSpec): Toleration[] {
  const added: Toleration[] = [
    { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
    { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
    { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
    { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
    { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
    { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
    ...(spec.hostNetwork ? [{ key: 'node.kubernetes.io/network-unavailable', operator: 'Exists', effect: 'NoSchedule' }] : []),
  ]
  const own = (spec.tolerations ?? []).filter(
    (one) =>
      !added.some((other) => other.key === one.key && other.effect === one.effect && !one.tolerationSeconds && one.operator === 'Exists'),
  )
  return [...own, ...added]
}

/** Starts and ends Pods so that each node has the one it should have. */
async function manage(sync: Sync, queue: WorkQueue, failures: Failures): Promise<void> {
  const { context, set } = sync
  const missing: string[] = []
  const excess: Pod[] = []
  const known = new Set(sync.nodes.map(({ metadata }) => metadata.name))
  for (const node of sync.nodes) {
    const name = node.metadata.name ?? ''
    const here = sync.byNode.get(name) ?? []
    const { start, stay } = shouldRun(sync, node)
    if (!stay) excess.push(...here.filter((pod) => !pod.metadata.deletionTimestamp))
    else if (here.length === 0 && start) missing.push(name)
    else {
      const running: Pod[] = []
      for (const pod of here.filter(({ metadata }) => !metadata.deletionTimestamp)) {
        if (pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded') running.push(pod)
        else if (mayReplace(sync, pod, name, queue, failures)) excess.push(pod)
      }
      const { create, remove } = prune(sync, running)
      if (create && start && allowsSurge(sync)) missing.push(name)
      excess.push(...remove)
    }
  }
  // Pods for nodes that are gone and that have not been scheduled wait for nothing.
  excess.push(...sync.pods.filter((pod) => !pod.spec?.nodeName && !pod.metadata.deletionTimestamp && !known.has(nodeOf(pod) ?? '')))
  await slowStartOn(sync, missing)
  for (const pod of excess) await deletePod(context, component, set, pod.metadata.name ?? '')
}

function mayReplace({ context, set }: Sync, pod: Pod, node: string, queue: WorkQueue, failures: Failures): boolean {
  const where = `${pod.metadata.namespace}/${pod.metadata.name} on node ${node}`
  if (pod.status?.phase === 'Succeeded') {
    context.events.event(set, 'Normal', 'SucceededDaemonPod', `Found succeeded daemon pod ${where}, will try to delete it`, { component })
    return true
  }
  const key = `${set.metadata.uid}/${node}`
  const failure = failures.get(key) ?? { count: 0, until: 0 }
  const left = failure.until - context.clock.now()
  if (left > 0) {
    queue.addAfter(keyOf(set), left)
    return false
  }
  const wait = Math.min(failedBackOff.longest, failedBackOff.first * 2 ** failure.count)
  failures.set(key, { count: failure.count + 1, until: context.clock.now() + wait })
  context.events.event(set, 'Warning', 'FailedDaemonPod', `Found failed daemon pod ${where}, will try to kill it`, { component })
  return true
}

/** Which of a node's running Pods are too many: all but the oldest or, with a surge, all but one of each revision while needed. */
function prune(sync: Sync, running: readonly Pod[]): { create: boolean; remove: Pod[] } {
  const sorted = [...running].sort(byAge)
  if (sorted.length <= 1) return { create: sorted.length === 0, remove: [] }
  if (!allowsSurge(sync)) return { create: false, remove: sorted.slice(1) }
  const fresh = sorted.find((pod) => revisionOf(pod) === sync.hash)
  const old = sorted.find((pod) => revisionOf(pod) !== sync.hash)
  const keep = new Set<Pod | undefined>([fresh])
  if (!fresh || (old && isPodReady(old) && !isPodReady(fresh))) keep.add(old)
  return { create: false, remove: sorted.filter((pod) => !keep.has(pod)) }
}

function byAge(a: Pod, b: Pod): number {
  const scheduled = Number(Boolean(b.spec?.nodeName)) - Number(Boolean(a.spec?.nodeName))
  return scheduled || ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1)
}

async function slowStartOn(sync: Sync, nodes: readonly string[]): Promise<void> {
  let next = 0
  await slowStart(sync.context.clock, nodes.length, async () => {
    const node = nodes[next++]
    if (node) await createPod(sync.context, component, sync.set, daemonPod(sync, node))
  })
}

/** A Pod that the scheduler can put on this one node only. */
function daemonPod({ set, hash }: Sync, node: string): Pod {
  const pod = podFromTemplate(set.spec?.template ?? { metadata: {} }, set)
  const generation = set.metadata.annotations?.['deprecated.daemonset.template.generation']
  pod.metadata.labels = { ...pod.metadata.labels, ...(generation && { 'pod-template-generation': generation }), [revisionHashLabel]: hash }
  if (!pod.spec) return pod
  pod.spec.tolerations = withDaemonTolerations(pod.spec)
  const field = { key: 'metadata.name', operator: 'In', values: [node] }
  const affinity = (pod.spec.affinity ??= {})
  const nodeAffinity = (affinity.nodeAffinity ??= {})
  const terms = nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [{}]
  nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution = {
    nodeSelectorTerms: terms.map((term) => ({ ...term, matchFields: [field] })),
  }
  return pod
}

/** Replaces Pods of older templates, as many at once as may be unavailable (or, with a surge, extra). */
async function rollingUpdate(sync: Sync): Promise<void> {
  const { context, set, nodes } = sync
  const targets = nodes.filter((node) => shouldRun(sync, node).start)
  const { maxUnavailable, maxSurge } = limits(sync, targets.length)
  const ready: Pod[] = []
  const replaceable: Pod[] = []
  const surging: string[] = []
  let unavailable = 0
  let surged = 0
  for (const node of targets) {
    const here = (sync.byNode.get(node.metadata.name) ?? []).filter((pod) => !pod.metadata.deletionTimestamp)
    const fresh = here.find((pod) => revisionOf(pod) === sync.hash)
    const old = here.find((pod) => revisionOf(pod) !== sync.hash)
    if (maxSurge === 0) {
      if (!old) unavailable += Number(!fresh || !isAvailable(sync, fresh))
      else if (!isAvailable(sync, old)) {
        replaceable.push(old)
        unavailable++
      } else ready.push(old)
    } else if (old && fresh) {
      if (isAvailable(sync, fresh)) replaceable.push(old)
      else surged++
    } else if (old) surging.push(node.metadata.name ?? '')
  }
  if (maxSurge > 0) await slowStartOn(sync, surging.slice(0, Math.max(0, maxSurge - surged)))
  replaceable.push(...ready.slice(0, Math.max(0, maxUnavailable - unavailable)))
  for (const pod of replaceable) await deletePod(context, component, set, pod.metadata.name ?? '')
}

function limits({ set }: Sync, nodes: number): { maxUnavailable: number; maxSurge: number } {
  const { maxUnavailable = 1, maxSurge = 0 } = set.spec?.updateStrategy?.rollingUpdate ?? {}
  const surge = scaledValue(maxSurge, nodes, 'up')
  const unavailable = scaledValue(maxUnavailable, nodes, 'up')
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

function allowsSurge(sync: Sync): boolean {
  return limits(sync, 1).maxSurge > 0
}

function isAvailable({ context, set }: Sync, pod: Pod): boolean {
  return isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, context.clock.now())
}

async function writeStatus(sync: Sync): Promise<void> {
  const { context, set } = sync
  const status = calculateStatus(sync)
  const defaults = { updatedNumberScheduled: 0, numberAvailable: 0, numberUnavailable: 0 }
  if (set.status?.observedGeneration !== undefined && semanticEqual({ ...defaults, ...set.status }, { ...defaults, ...status })) return
  await context.client.update<DaemonSet>(resources.daemonSets, { ...copyOf(set), status }, { subresource: 'status' })
}

function calculateStatus(sync: Sync): DaemonSetStatus {
  const { set, nodes, byNode, hash } = sync
  const status = {
    desiredNumberScheduled: 0,
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    numberReady: 0,
    updatedNumberScheduled: 0,
    numberAvailable: 0,
  }
  for (const node of nodes) {
    const here = byNode.get(node.metadata.name) ?? []
    if (!shouldRun(sync, node).start) {
      if (here.length > 0) status.numberMisscheduled++
      continue
    }
    status.desiredNumberScheduled++
    if (here.length === 0) continue
    status.currentNumberScheduled++
    const [oldest] = [...here].sort((a, b) => Number(isPodReady(b)) - Number(isPodReady(a)) || byAge(a, b))
    if (!oldest) continue
    if (isPodReady(oldest)) status.numberReady++
    if (isAvailable(sync, oldest)) status.numberAvailable++
    if (revisionOf(oldest) === hash) status.updatedNumberScheduled++
  }
  return {
    ...status,
    numberUnavailable: status.desiredNumberScheduled - status.numberAvailable,
    observedGeneration: set.metadata.generation,
    ...(set.status?.collisionCount !== undefined && { collisionCount: set.status.collisionCount }),
    ...(set.status?.conditions && { conditions: set.status.conditions }),
  }
}

function checkAvailabilityLater({ context, set, pods }: Sync, queue: WorkQueue, key: string): void {
  const minReadySeconds = set.spec?.minReadySeconds ?? 0
  if (minReadySeconds === 0) return
  const waits = pods.filter(isPodReady).map((pod) => availableAt(pod, minReadySeconds) - context.clock.now())
  const next = Math.min(...waits.filter((wait) => wait > 0))
  if (Number.isFinite(next)) queue.addAfter(key, next)
}
