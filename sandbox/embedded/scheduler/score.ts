import type { Node, Pod, Taint } from '../schema/types/core.v1.ts'
import { amountOf, podRequests } from './amounts.ts'
import { matchesTerm, tolerates } from './node-selection.ts'
import { type Cycle, guess, type NodeInfo } from './snapshot.ts'

/** One preference among the nodes where a Pod may run. */
export interface ScorePlugin {
  readonly name: string
  readonly weight: number
  /** Looks at the cluster once, then at each node. Nothing: no preference (of this Pod, or for this node). */
  prepare(cycle: Cycle, fitting: readonly NodeInfo[]): ((info: NodeInfo) => number | undefined) | undefined
  /** Brings raw scores to 0..100. */
  normalize?(scores: readonly number[]): number[]
}

/** The node with the most points; chance decides between equals. */
export function bestNode(plugins: readonly ScorePlugin[], cycle: Cycle, fitting: readonly NodeInfo[]): NodeInfo | undefined {
  if (fitting.length <= 1) return fitting[0]
  const totals = new Array<number>(fitting.length).fill(0)
  for (const plugin of plugins) {
    const score = plugin.prepare(cycle, fitting)
    if (!score) continue
    const raw = fitting.map(score)
    const known = raw.includes(undefined) ? raw.filter((value) => value !== undefined) : (raw as number[])
    const normal = plugin.normalize && known.length > 0 ? plugin.normalize(known) : known
    let next = 0
    for (let index = 0; index < raw.length; index++) {
      if (raw[index] !== undefined) totals[index] = (totals[index] ?? 0) + plugin.weight * (normal[next++] ?? 0)
    }
  }
  const most = Math.max(...totals)
  const best = fitting.filter((_, index) => totals[index] === most)
  return best[Math.floor(cycle.context.random() * best.length)]
}

const weighed = ['cpu', 'memory'] as const

/** Prefers nodes with much of their CPU and memory left. */
export const leastAllocated: ScorePlugin = {
  name: 'NodeResourcesFit',
  weight: 1,
  prepare({ pod }) {
    const requests = podRequests(pod, guess)
    return ({ allocatable, guessed }) => {
      let shares = 0
      let count = 0
      for (const name of weighed) {
        const capacity = allocatable[name] ?? 0
        const used = (guessed[name] ?? 0) + (requests[name] ?? 0)
        if (capacity <= 0) continue
        shares += used > capacity ? 0 : Math.floor(((capacity - used) * 100) / capacity)
        count++
      }
      return count > 0 ? Math.floor(shares / count) : 0
    }
  },
}

/** Prefers nodes whose CPU and memory would be used up to about the same part. */
export const balancedAllocation: ScorePlugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  prepare({ pod }) {
    const requests = podRequests(pod)
    if (!requests['cpu'] && !requests['memory']) return undefined
    const part = ({ allocatable, requested }: NodeInfo, name: string) =>
      Math.min(1, ((requested[name] ?? 0) + (requests[name] ?? 0)) / (allocatable[name] ?? 1))
    return (info) => {
      const both = (info.allocatable['cpu'] ?? 0) > 0 && (info.allocatable['memory'] ?? 0) > 0
      const deviation = both ? Math.abs(part(info, 'cpu') - part(info, 'memory')) / 2 : 0
      return Math.floor((1 - deviation) * 100)
    }
  },
}

/** Prefers nodes with fewer PreferNoSchedule taints that the Pod does not tolerate. */
export const taintTolerationScore: ScorePlugin = {
  name: 'TaintToleration',
  weight: 3,
  prepare({ pod }) {
    const tolerations = (pod.spec?.tolerations ?? []).filter(({ effect }) => !effect || effect === 'PreferNoSchedule')
    const counts = (taint: Taint) => taint.effect === 'PreferNoSchedule' && !tolerations.some((toleration) => tolerates(toleration, taint))
    return ({ node }) => node.spec?.taints?.filter(counts).length ?? 0
  },
  normalize: (scores) => scale(scores).map((score) => 100 - score),
}

/** Prefers nodes by the weights of the Pod's preferred node affinity. */
export const nodeAffinityScore: ScorePlugin = {
  name: 'NodeAffinity',
  weight: 2,
  prepare({ pod }) {
    const terms = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    if (terms.length === 0) return undefined
    return ({ node }) => terms.filter(({ preference }) => matchesTerm(preference, node)).reduce((sum, { weight }) => sum + weight, 0)
  },
  normalize: scale,
}

/** Prefers nodes that have the Pod's images already, the more the bigger these are. */
export const imageLocality: ScorePlugin = {
  name: 'ImageLocality',
  weight: 1,
  prepare({ pod, nodes }) {
    const images = imagesOf(pod)
    const spreads = images.map((image) => nodes.filter(({ node }) => imageSizes(node).has(image)).length / nodes.length)
    const megabyte = 1024 * 1024
    const least = 23 * megabyte
    const most = 1000 * megabyte * images.length
    return ({ node }) => {
      const sizes = imageSizes(node)
      const sum = images.reduce((total, image, index) => total + Math.floor((sizes.get(image) ?? 0) * (spreads[index] ?? 0)), 0)
      return Math.floor((100 * (Math.min(most, Math.max(least, sum)) - least)) / (most - least))
    }
  },
}

function imagesOf(pod: Pod): string[] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map(({ image = '' }) => {
    return image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image
  })
}

function imageSizes(node: Node): ReadonlyMap<string, number> {
  const images = node.status?.images ?? noImages
  const known = sizesOf.get(images)
  if (known) return known
  const sizes = new Map<string, number>()
  for (const { names = [], sizeBytes = 0 } of images) {
    for (const name of names) sizes.set(name, amountOf('bytes', sizeBytes))
  }
  if (Object.isFrozen(images)) sizesOf.set(images, sizes)
  return sizes
}

type Images = NonNullable<NonNullable<Node['status']>['images']>
const noImages: Readonly<Images> = Object.freeze([])
const sizesOf = new WeakMap<Readonly<Images>, ReadonlyMap<string, number>>()

function scale(scores: readonly number[]): number[] {
  const most = Math.max(...scores)
  return scores.map((score) => (most === 0 ? score : Math.floor((100 * score) / most)))
}
