import { matchesSelector } from '../controllers/selector.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Namespace, Pod, PodAffinityTerm } from '../schema/types/core.v1.ts'
import type { FilterPlugin, Rejection } from './filter.ts'
import type { ScorePlugin } from './score.ts'
import type { Cycle, NodeInfo } from './snapshot.ts'

const name = 'InterPodAffinity'

/** Weight with which Pods that require a Pod like this one draw it to them. */
const requiredWeight = 1

/** A Pod goes where the Pods are that it requires, and not where those are that it shuns or that shun it. */
export const interPodAffinity: FilterPlugin = {
  name,
  prepare({ context, pod, nodes }) {
    const affinity = requiredTerms(pod, 'podAffinity')
    const antiAffinity = requiredTerms(pod, 'podAntiAffinity')
    const shunned = shunnedTopologies(context, pod, nodes)
    if (affinity.length === 0 && antiAffinity.length === 0 && shunned.size === 0) return undefined
    const wanted = countTopologies(nodes, affinity, (other) => affinity.every((term) => matchesTerm(context, term, pod, other)))
    const avoided = countTopologies(nodes, antiAffinity, (other, term) => matchesTerm(context, term, pod, other))
    const first = wanted.size === 0 && affinity.every((term) => matchesTerm(context, term, pod, pod))
    return ({ node }) => {
      const labels = node.metadata.labels ?? {}
      const labelled = affinity.every((term) => labels[term.topologyKey] !== undefined)
      const near = affinity.every((term) => wanted.has(pair(term.topologyKey, labels[term.topologyKey])))
      // The first Pod of a group that requires itself must be allowed somewhere.
      if (!labelled || (!near && !first)) return reject("node(s) didn't match pod affinity rules", false)
      const close = antiAffinity.some((term) => avoided.has(pair(term.topologyKey, labels[term.topologyKey])))
      if (close) return reject("node(s) didn't match pod anti-affinity rules", true)
      if (Object.entries(labels).some(([key, value]) => shunned.has(pair(key, value)))) {
        return reject("node(s) didn't satisfy existing pods anti-affinity rules", true)
      }
      return undefined
    }
  },
}

/** Prefers nodes near the Pods that this one, or that like this one, would rather be near. */
export const interPodAffinityScore: ScorePlugin = {
  name,
  weight: 2,
  prepare({ context, pod, nodes }) {
    const scores = new Map<string, number>()
    const add = (info: NodeInfo, term: PodAffinityTerm, weight: number) => {
      const value = info.node.metadata.labels?.[term.topologyKey]
      if (value === undefined) return
      const key = pair(term.topologyKey, value)
      scores.set(key, (scores.get(key) ?? 0) + weight)
    }
    const prefers = preferredTerms(pod, 'podAffinity').length + preferredTerms(pod, 'podAntiAffinity').length > 0
    for (const info of nodes) {
      for (const other of prefers ? info.pods : info.withAffinity) {
        for (const [kind, sign] of [
          ['podAffinity', 1],
          ['podAntiAffinity', -1],
        ] as const) {
          for (const { weight, podAffinityTerm } of preferredTerms(pod, kind)) {
            if (matchesTerm(context, podAffinityTerm, pod, other)) add(info, podAffinityTerm, sign * weight)
          }
          for (const { weight, podAffinityTerm } of preferredTerms(other, kind)) {
            if (matchesTerm(context, podAffinityTerm, other, pod)) add(info, podAffinityTerm, sign * weight)
          }
        }
        for (const term of requiredTerms(other, 'podAffinity')) if (matchesTerm(context, term, other, pod)) add(info, term, requiredWeight)
      }
    }
    if (scores.size === 0) return undefined
    return ({ node }) => {
      let score = 0
      for (const [key, value] of Object.entries(node.metadata.labels ?? {})) score += scores.get(pair(key, value)) ?? 0
      return score
    }
  },
  normalize(scores) {
    const [least, most] = [Math.min(...scores), Math.max(...scores)]
    return scores.map((score) => (most === least ? 0 : Math.floor((100 * (score - least)) / (most - least))))
  },
}

/** Topologies that hold a Pod which must not be near this one. */
function shunnedTopologies(context: ClusterContext, pod: Pod, nodes: readonly NodeInfo[]): Set<string> {
  const shunned = new Set<string>()
  for (const { node, withAffinity } of nodes) {
    for (const other of withAffinity) {
      for (const term of requiredTerms(other, 'podAntiAffinity')) {
        const value = node.metadata.labels?.[term.topologyKey]
        if (value !== undefined && matchesTerm(context, term, other, pod)) shunned.add(pair(term.topologyKey, value))
      }
    }
  }
  return shunned
}

function countTopologies(
  nodes: Cycle['nodes'],
  terms: readonly PodAffinityTerm[],
  matches: (other: Pod, term: PodAffinityTerm) => boolean,
): Set<string> {
  const found = new Set<string>()
  if (terms.length === 0) return found
  for (const { node, pods } of nodes) {
    for (const term of terms) {
      const value = node.metadata.labels?.[term.topologyKey]
      if (value !== undefined && pods.some((other) => matches(other, term))) found.add(pair(term.topologyKey, value))
    }
  }
  return found
}

/** Whether a term of `owner` speaks of `other`. */
function matchesTerm(context: ClusterContext, term: PodAffinityTerm, owner: Pod, other: Pod): boolean {
  return inNamespaces(context, term, owner, other) && matchesSelector(term.labelSelector, other.metadata.labels)
}

function inNamespaces(context: ClusterContext, term: PodAffinityTerm, owner: Pod, other: Pod): boolean {
  const { namespaces = [], namespaceSelector } = term
  const namespace = other.metadata.namespace ?? ''
  if (namespaces.length === 0 && !namespaceSelector) return namespace === owner.metadata.namespace
  if (namespaces.includes(namespace)) return true
  const labels = context.cache.get<Namespace>(resources.namespaces, namespace)?.metadata.labels
  return namespaceSelector !== undefined && matchesSelector(namespaceSelector, labels)
}

function requiredTerms(pod: Pod, kind: 'podAffinity' | 'podAntiAffinity'): PodAffinityTerm[] {
  return pod.spec?.affinity?.[kind]?.requiredDuringSchedulingIgnoredDuringExecution ?? []
}

function preferredTerms(pod: Pod, kind: 'podAffinity' | 'podAntiAffinity') {
  return pod.spec?.affinity?.[kind]?.preferredDuringSchedulingIgnoredDuringExecution ?? []
}

function pair(key: string, value: string | undefined): string {
  return `${key}=${value}`
}

function reject(reason: string, resolvable: boolean): Rejection {
  return { plugin: name, reasons: [reason], resolvable }
}
