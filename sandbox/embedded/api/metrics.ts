import { ApiError } from '../machinery/errors.ts'
import type { NodeApi } from '../machinery/node-api.ts'
import { type KubeObject, type Resource, resources } from '../machinery/object.ts'
import { define } from '../registry/define.ts'
import type { ResourceInfo } from '../registry/index.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import type { SpecialHandler } from './api-server.ts'
import { objectOutcome, type ResourceCall } from './call.ts'
import { timestamp } from './object-meta.ts'
import { listOptions } from './options.ts'
import { keyOf } from './resources.ts'
import type { Rest } from './rest.ts'
import { selection } from './selection.ts'

const group = 'metrics.k8s.io'
const version = 'v1beta1'
const verbs = ['get', 'list'] as const

/** The kinds that metrics-server would serve through the aggregation layer; nothing of them is stored. */
export const metricsResources: readonly ResourceInfo[] = [
  define(group, version, { kind: 'NodeMetrics', resource: 'nodes', singular: '', namespaced: false, verbs }),
  define(group, version, { kind: 'PodMetrics', resource: 'pods', singular: '', verbs }),
]

/** Answers for metrics.k8s.io, by `resource.group`, from what the kubelets measure now. */
export function metricsHandlers(rest: Rest, nodes: () => NodeApi): [string, SpecialHandler][] {
  const usage = (memoryBytes: number, cpuNanoCores: number) => ({
    cpu: `${Math.round(cpuNanoCores)}n`,
    memory: `${Math.ceil(memoryBytes / 1024)}Ki`,
  })
  const sample = () => ({ timestamp: timestamp(rest.clock.now()), window: '15s' })
  const nodeMetrics = (node: KubeObject): KubeObject | undefined => {
    const used = nodes().nodeUsage(node.metadata.name ?? '')
    return used && metricsOf('NodeMetrics', node, { ...sample(), usage: usage(used.memoryBytes, used.cpuNanoCores) })
  }
  const podMetrics = (pod: KubeObject): KubeObject | undefined => {
    if ((pod as Pod).status?.phase !== 'Running') return undefined
    const used = nodes().podUsage(pod.metadata.namespace ?? '', pod.metadata.name ?? '')
    if (!used?.length) return undefined
    const containers = used.map(({ name, memoryBytes, cpuNanoCores }) => ({ name, usage: usage(memoryBytes, cpuNanoCores) }))
    return metricsOf('PodMetrics', pod, { ...sample(), containers })
  }
  return [
    ['nodes.metrics.k8s.io', handler<Node>(rest, resources.nodes, nodeMetrics)],
    ['pods.metrics.k8s.io', handler<Pod>(rest, resources.pods, podMetrics)],
  ]
}

function handler<T extends KubeObject>(
  rest: Rest,
  { resource }: Resource,
  measure: (object: KubeObject) => KubeObject | undefined,
): SpecialHandler {
  return (call: ResourceCall) => {
    const { namespace, name } = call.path
    if (call.request.verb === 'get') {
      const stored = rest.store.get(resource, keyOf(call.info, namespace, name))
      const measured = stored && measure(stored)
      if (!measured) throw ApiError.notFound(call.info, name)
      return objectOutcome(measured, call.info)
    }
    if (call.request.verb !== 'list') throw ApiError.methodNotSupported()
    const { labelSelector, fieldSelector } = listOptions(call.request.query)
    const selected = selection(call.info, labelSelector, fieldSelector)
    const stored = rest.store.list(resource, namespace || undefined) as T[]
    const items = stored.filter((object) => selected.matches(object)).flatMap((object) => measure(object) ?? [])
    return { type: 'list', listing: { info: call.info, items, metadata: {} } }
  }
}

function metricsOf(kind: string, { metadata }: KubeObject, figures: object): KubeObject {
  const { name, namespace, labels } = metadata
  const about = { name, ...(namespace ? { namespace } : {}), ...(labels ? { labels } : {}), creationTimestamp: metadata.creationTimestamp }
  return { apiVersion: `${group}/${version}`, kind, metadata: about, ...figures } as KubeObject
}
