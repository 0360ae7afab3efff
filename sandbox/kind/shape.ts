import { createHash } from 'node:crypto'
import type { ClusterShape, SandboxSpec } from '../engine.ts'

/** A cluster's shape with everything decided. */
export interface Shape {
  nodeImage: string
  nodes: number
  cni: 'kindnet' | 'flannel' | 'none'
  featureGates: Readonly<Record<string, boolean>>
  images: readonly string[]
  portMappings: readonly { containerPort: number; hostPort: number }[]
}

/** One node before it is there. */
export interface NodePlan {
  /** The name in Kubernetes: labernetes-control-plane, labernetes-worker, labernetes-worker2. */
  name: string
  role: 'control-plane' | 'worker'
  /** Its container's name, unique on this Docker. */
  container: string
  ip: string
}

/** Nodes that fit into a cluster's subnet beside the toolbox. */
const mostNodes = 6

/**
 * What a sandbox asks for, with this machine's node image for its Kubernetes version. `images` maps a version ('1.34',
 * '1.34.4') to a node image; the first is the one that is taken unless another is asked for. Throws a sentence for what
 * cannot be.
 */
export function shapeOf(
  spec: Pick<SandboxSpec, 'nodes' | 'shape'>,
  images: ReadonlyMap<string, string>,
  extraImages: readonly string[],
): Shape {
  const asked: ClusterShape = spec.shape ?? {}
  if (spec.nodes < 1 || spec.nodes > mostNodes) throw new Error(`A kind cluster has 1 to ${mostNodes} nodes, not ${spec.nodes}`)
  if (asked.addons?.length) throw new Error(`A kind cluster has no ${asked.addons.join(', ')} of its own; the embedded engine has`)
  return {
    nodeImage: nodeImageFor(asked.kubernetesVersion, images),
    nodes: spec.nodes,
    cni: asked.cni ?? 'kindnet',
    featureGates: asked.featureGates ?? {},
    images: [...new Set([...extraImages, ...(asked.images ?? [])])].sort(),
    portMappings: asked.portMappings ?? [],
  }
}

/** The same for two shapes whose clusters may stand for each other: warm ones and templates are kept by it. */
export function shapeKey(shape: Shape): string {
  const { featureGates, ...rest } = shape
  const gates = Object.entries(featureGates).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify({ ...rest, gates }))
    .digest('hex')
    .slice(0, 12)
}

/** Host ports belong to one cluster at a time, so such a cluster is never made ahead. */
export function mayBeMadeAhead(shape: Shape): boolean {
  return shape.portMappings.length === 0
}

/** The nodes of a cluster in a subnet, the control plane first. */
export function planNodes(cluster: string, shape: Shape, addressOf: (index: number) => string): NodePlan[] {
  return Array.from({ length: shape.nodes }, (_, index) => {
    const suffix = index === 0 ? 'control-plane' : index === 1 ? 'worker' : `worker${index}`
    return {
      name: `labernetes-${suffix}`,
      role: index === 0 ? 'control-plane' : 'worker',
      container: `${cluster}-${suffix}`,
      ip: addressOf(index),
    }
  })
}

/** The node that a lab calls by its full name or by the part that is the same on every engine; undefined for none. */
export function findNode<Node extends { name: string }>(nodes: readonly Node[], asked: string): Node | undefined {
  return nodes.find(({ name }) => name === asked) ?? nodes.find(({ name }) => name === `labernetes-${asked}`)
}

function nodeImageFor(version: string | undefined, images: ReadonlyMap<string, string>): string {
  if (version === undefined) {
    const [first] = images.values()
    if (!first) throw new Error('No kind node image is configured')
    return first
  }
  const minor = version.split('.').slice(0, 2).join('.')
  const image = images.get(version) ?? images.get(minor)
  if (!image) throw new Error(`There is no kind node image for Kubernetes ${version} here. There are: ${[...images.keys()].join(', ')}`)
  return image
}
