import { isPodFinished } from '../controllers/pod.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import { type Amounts, add, amountsOf, podRequests } from './amounts.ts'

/** A node and what runs on it, as one scheduling cycle sees it. */
export interface NodeInfo {
  readonly node: Node
  readonly name: string
  readonly pods: readonly Pod[]
  readonly allocatable: Amounts
  readonly requested: Amounts
  /** As requested, with a guess for containers that ask for no CPU or memory; used to spread load. */
  readonly guessed: Amounts
}

/** What a container is taken to use if it asks for nothing: 0.1 core and 200 MB. */
export const guess: Amounts = { cpu: 100, memory: 200 * 1024 * 1024 }

/** One attempt to place one Pod. */
export interface Cycle {
  readonly context: ClusterContext
  readonly pod: Pod
  readonly nodes: readonly NodeInfo[]
}

/**
 * The cluster's nodes with their Pods.
 *
 * @param assumed nodes of Pods whose binding is under way, by the Pod's uid
 */
export function takeSnapshot(context: ClusterContext, assumed: ReadonlyMap<string, string>): NodeInfo[] {
  const byNode = new Map<string, Pod[]>()
  for (const pod of context.cache.list<Pod>(resources.pods)) {
    const name = pod.spec?.nodeName || assumed.get(pod.metadata.uid ?? '')
    if (!name || isPodFinished(pod)) continue
    const pods = byNode.get(name)
    if (pods) pods.push(pod)
    else byNode.set(name, [pod])
  }
  return context.cache.list<Node>(resources.nodes).map((node) => nodeInfo(node, byNode.get(node.metadata.name ?? '') ?? []))
}

export function nodeInfo(node: Node, pods: readonly Pod[]): NodeInfo {
  const requested: Amounts = {}
  const guessed: Amounts = {}
  for (const pod of pods) {
    add(requested, podRequests(pod))
    add(guessed, podRequests(pod, guess))
  }
  return { node, name: node.metadata.name ?? '', pods, allocatable: amountsOf(node.status?.allocatable), requested, guessed }
}

/** The same nodes with one of them replaced. */
export function replaceNode(nodes: readonly NodeInfo[], changed: NodeInfo): NodeInfo[] {
  return nodes.map((info) => (info.name === changed.name ? changed : info))
}

export function priorityOf(pod: Pod): number {
  return pod.spec?.priority ?? 0
}
