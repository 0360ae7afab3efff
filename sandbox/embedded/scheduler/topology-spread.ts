import { controllerOf } from '../controllers/owner.ts'
import { matchesLabels, matchesSelector } from '../controllers/selector.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { ReplicaSet, StatefulSet } from '../schema/types/apps.v1.ts'
import type { Node, Pod, Service, TopologySpreadConstraint } from '../schema/types/core.v1.ts'
import type { LabelSelector } from '../schema/types/meta.v1.ts'
import type { FilterPlugin } from './filter.ts'
import { matchesNode, noScheduleEffects, untoleratedTaint } from './node-selection.ts'
import type { ScorePlugin } from './score.ts'
import type { NodeInfo } from './snapshot.ts'

const name = 'PodTopologySpread'
const hostname = 'kubernetes.io/hostname'
const mismatch = "node(s) didn't match pod topology spread constraints"

/** How Pods without constraints of their own are spread, if something selects them. */
const defaults = [
  { maxSkew: 3, topologyKey: hostname },
  { maxSkew: 5, topologyKey: 'topology.kubernetes.io/zone' },
] as const

interface Constraint {
  maxSkew: number
  topologyKey: string
  minDomains: number
  selects: (pod: Pod) => boolean
  /** Equal where `selects` is the same. */
  selection: string
  counts: (node: Node) => boolean
}

interface Domain {
  weight: number
  /** By the topology's value. */
  counts?: ReadonlyMap<string, number>
  onHost?: (info: NodeInfo) => number
}

/** Keeps the numbers of matching Pods in different topologies within maxSkew of each other. */
export const podTopologySpread: FilterPlugin = {
  name,
  prepare({ pod, nodes }) {
    const constraints = ownConstraints(pod, 'DoNotSchedule')
    if (constraints.length === 0) return undefined
    const eligible = nodes.filter(({ node }) => hasAllKeys(node, constraints))
    const counted = constraints.map((constraint) => countDomains(constraint, eligible, pod))
    return ({ node }) => {
      for (const [index, constraint] of constraints.entries()) {
        const value = node.metadata.labels?.[constraint.topologyKey]
        if (value === undefined) return { plugin: name, reasons: [`${mismatch} (missing required label)`], resolvable: false }
        const domains = counted[index] ?? new Map<string, number>()
        const least = domains.size < constraint.minDomains ? 0 : Math.min(...domains.values())
        const skew = (domains.get(value) ?? 0) + Number(constraint.selects(pod)) - (Number.isFinite(least) ? least : 0)
        if (skew > constraint.maxSkew) return { plugin: name, reasons: [mismatch], resolvable: true }
      }
      return undefined
    }
  },
}

/** Prefers topologies with fewer matching Pods. */
export const podTopologySpreadScore: ScorePlugin = {
  name,
  weight: 2,
  prepare({ context, pod, nodes }, fitting) {
    const own = (pod.spec?.topologySpreadConstraints ?? []).length > 0
    const constraints = own ? ownConstraints(pod, 'ScheduleAnyway') : defaultConstraints(context, pod)
    if (constraints.length === 0) return undefined
    const ignored = new Set(own ? fitting.filter(({ node }) => !hasAllKeys(node, constraints)).map((info) => info.name) : [])
    const considered = own ? fitting.filter((info) => !ignored.has(info.name)) : fitting
    const counting = own ? nodes.filter(({ node }) => hasAllKeys(node, constraints)) : nodes
    const domains = constraints.map((constraint): Domain => {
      // Those of a host are counted where they are asked for.
      if (constraint.topologyKey === hostname) return { weight: Math.log(considered.length + 2), onHost: counterOf(constraint, pod) }
      const values = new Set(considered.map(({ node }) => node.metadata.labels?.[constraint.topologyKey] ?? ''))
      return { weight: Math.log(values.size + 2), counts: countDomains(constraint, counting, pod) }
    })
    return (info) => {
      if (ignored.has(info.name)) return undefined
      let score = 0
      for (let index = 0; index < constraints.length; index++) {
        const constraint = constraints[index] as Constraint
        const value = info.node.metadata.labels?.[constraint.topologyKey]
        if (value === undefined) continue
        const { weight, counts, onHost } = domains[index] as Domain
        const count = onHost ? onHost(info) : (counts?.get(value) ?? 0)
        score += count * weight + (constraint.maxSkew - 1)
      }
      return Math.round(score)
    }
  },
  normalize(scores) {
    const [least, most] = [Math.min(...scores), Math.max(...scores)]
    return scores.map((score) => (most === 0 ? 100 : Math.floor((100 * (most + least - score)) / most)))
  },
}

function countDomains(constraint: Constraint, nodes: readonly NodeInfo[], pod: Pod): Map<string, number> {
  const counts = new Map<string, number>()
  const count = counterOf(constraint, pod)
  for (const info of nodes) {
    const value = info.node.metadata.labels?.[constraint.topologyKey]
    if (value === undefined || !constraint.counts(info.node)) continue
    counts.set(value, (counts.get(value) ?? 0) + count(info))
  }
  return counts
}

/** How many Pods of a node the constraint is about. */
function counterOf({ selection, selects }: Constraint, pod: Pod): (info: NodeInfo) => number {
  const { namespace } = pod.metadata
  const key = `${namespace} ${selection}`
  const isMeant = (other: Pod) => other.metadata.namespace === namespace && !other.metadata.deletionTimestamp && selects(other)
  return ({ pods }) => {
    const known = counted.get(pods)
    const before = known?.get(key)
    if (before !== undefined) return before
    const count = pods.filter(isMeant).length
    if (known) known.set(key, count)
    else counted.set(pods, new Map([[key, count]]))
    return count
  }
}

/** What was counted on a node whose Pods have not changed since, by what was counted. */
const counted = new WeakMap<readonly Pod[], Map<string, number>>()

function hasAllKeys(node: Node, constraints: readonly Constraint[]): boolean {
  return constraints.every(({ topologyKey }) => node.metadata.labels?.[topologyKey] !== undefined)
}

function ownConstraints(pod: Pod, action: 'DoNotSchedule' | 'ScheduleAnyway'): Constraint[] {
  const own = (pod.spec?.topologySpreadConstraints ?? []).filter(({ whenUnsatisfiable }) => whenUnsatisfiable === action)
  return own.map((constraint) => ({
    maxSkew: constraint.maxSkew,
    topologyKey: constraint.topologyKey,
    minDomains: constraint.minDomains ?? 1,
    ...selectorOf(constraint, pod),
    counts: (node) =>
      (constraint.nodeAffinityPolicy === 'Ignore' || matchesNode(pod, node)) &&
      (constraint.nodeTaintsPolicy !== 'Honor' ||
        !untoleratedTaint(node.spec?.taints ?? [], pod.spec?.tolerations ?? [], noScheduleEffects)),
  }))
}

type Selection = Pick<Constraint, 'selects' | 'selection'>

function selectorOf({ labelSelector, matchLabelKeys = [] }: TopologySpreadConstraint, pod: Pod): Selection {
  const labels = pod.metadata.labels ?? {}
  const same: Record<string, string> = {}
  for (const key of matchLabelKeys) if (labels[key] !== undefined) same[key] = labels[key]
  return {
    selects: ({ metadata }) => matchesSelector(labelSelector, metadata.labels) && matchesLabels(same, metadata.labels),
    selection: JSON.stringify([labelSelector, same]),
  }
}

function defaultConstraints(context: ClusterContext, pod: Pod): Constraint[] {
  const selection = defaultSelector(context, pod)
  if (!selection) return []
  return defaults.map((constraint) => ({ ...constraint, ...selection, minDomains: 1, counts: (node) => matchesNode(pod, node) }))
}

/** What the Services and the controller of a Pod select together. */
function defaultSelector(context: ClusterContext, pod: Pod): Selection | undefined {
  const { namespace, labels } = pod.metadata
  const merged: Record<string, string> = {}
  for (const service of context.cache.list<Service>(resources.services, namespace)) {
    const selector = service.spec?.selector
    if (selector && matchesLabels(selector, labels)) Object.assign(merged, selector)
  }
  const owner = controllerSelector(context, pod)
  if (Object.keys(merged).length === 0 && !owner) return undefined
  return {
    selects: ({ metadata }) => matchesLabels(merged, metadata.labels) && (!owner || matchesSelector(owner, metadata.labels)),
    selection: JSON.stringify([owner, merged]),
  }
}

function controllerSelector(context: ClusterContext, pod: Pod): LabelSelector | undefined {
  const owner = controllerOf(pod)
  const { namespace } = pod.metadata
  if (owner?.kind === 'ReplicaSet') return context.cache.get<ReplicaSet>(resources.replicaSets, owner.name, namespace)?.spec?.selector
  if (owner?.kind === 'StatefulSet') return context.cache.get<StatefulSet>(resources.statefulSets, owner.name, namespace)?.spec?.selector
  return undefined
}
