import { keyOf, splitKey } from '../controllers/owner.ts'
import { isPodFinished } from '../controllers/pod.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { podNode } from '../machinery/pod-indexes.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import { type Amounts, add, amountsOf, podRequests } from './amounts.ts'

/** A node and what runs on it, as one scheduling cycle sees it. */
export interface NodeInfo {
  readonly node: Node
  readonly name: string
  readonly pods: readonly Pod[]
  /** Those of them that want to be near or far from others. */
  readonly withAffinity: readonly Pod[]
  readonly allocatable: Readonly<Amounts>
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
 * The cluster's nodes with their Pods, from one cycle to the next: what has not changed since is not looked at again.
 */
export class Snapshots implements Disposable {
  private readonly context: ClusterContext
  private readonly infos = new Map<string, NodeInfo>()
  private readonly watch: Disposable

  constructor(context: ClusterContext) {
    this.context = context
    this.watch = context.cache.watch<Pod>(resources.pods, ({ object, previous }) => {
      for (const name of [object.spec?.nodeName, previous?.spec?.nodeName]) if (name) this.infos.delete(name)
    })
  }

  [Symbol.dispose](): void {
    this.watch[Symbol.dispose]()
  }

  /** @param assumed keys of Pods whose binding is under way, with their nodes */
  take(assumed: ReadonlyMap<string, string>): NodeInfo[] {
    const nodes = this.context.cache.list<Node>(resources.nodes).map((node) => this.infoOf(node))
    if (assumed.size === 0) return nodes
    const byNode = Map.groupBy(assumed, ([, node]) => node)
    return nodes.map((info) => this.withAssumed(info, byNode.get(info.name)?.map(([key]) => key) ?? []))
  }

  private infoOf(node: Node): NodeInfo {
    const name = node.metadata.name ?? ''
    const known = this.infos.get(name)
    if (known?.node === node) return known
    const pods = known?.pods ?? this.context.cache.indexed<Pod>(resources.pods, podNode, name).filter((pod) => !isPodFinished(pod))
    const info = nodeInfo(node, pods)
    this.infos.set(name, info)
    return info
  }

  private withAssumed(info: NodeInfo, keys: readonly string[]): NodeInfo {
    const added = keys.flatMap((key) => {
      const { namespace, name } = splitKey(key)
      const pod = this.context.cache.get<Pod>(resources.pods, name, namespace)
      return pod && !pod.spec?.nodeName && !isPodFinished(pod) ? [pod] : []
    })
    if (added.length === 0) return info
    const pods = [...info.pods, ...added].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    return nodeInfo(info.node, pods)
  }
}

export function nodeInfo(node: Node, pods: readonly Pod[]): NodeInfo {
  const requested: Amounts = {}
  const guessed: Amounts = {}
  const withAffinity: Pod[] = []
  for (const pod of pods) {
    add(requested, podRequests(pod))
    add(guessed, podRequests(pod, guess))
    if (pod.spec?.affinity?.podAffinity || pod.spec?.affinity?.podAntiAffinity) withAffinity.push(pod)
  }
  return { node, name: node.metadata.name ?? '', pods, withAffinity, allocatable: amountsOf(node.status?.allocatable), requested, guessed }
}

/** The same nodes with one of them replaced. */
export function replaceNode(nodes: readonly NodeInfo[], changed: NodeInfo): NodeInfo[] {
  return nodes.map((info) => (info.name === changed.name ? changed : info))
}

export function priorityOf(pod: Pod): number {
  return pod.spec?.priority ?? 0
}
