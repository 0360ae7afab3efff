import type { Container, ContainerPort, Pod } from '../schema/types/core.v1.ts'
import { podRequests } from './amounts.ts'
import type { FilterPlugin, Rejection } from './filter.ts'
import { matchesNode, noScheduleEffects, tolerates, untoleratedTaint } from './node-selection.ts'
import type { NodeInfo } from './snapshot.ts'

/** Rules that look at one node and its own Pods only. */

export const nodeUnschedulable: FilterPlugin = {
  name: 'NodeUnschedulable',
  prepare({ pod }) {
    const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }
    if (pod.spec?.tolerations?.some((toleration) => tolerates(toleration, taint))) return undefined
    return ({ node }) => (node.spec?.unschedulable ? reject('NodeUnschedulable', 'node(s) were unschedulable') : undefined)
  },
}

export const nodeName: FilterPlugin = {
  name: 'NodeName',
  prepare({ pod }) {
    const wanted = pod.spec?.nodeName
    if (!wanted) return undefined
    return ({ name }) => (name === wanted ? undefined : reject('NodeName', "node(s) didn't match the requested node name"))
  },
}

export const taintToleration: FilterPlugin = {
  name: 'TaintToleration',
  prepare({ pod }) {
    const tolerations = pod.spec?.tolerations ?? []
    return ({ node }) => {
      const taints = node.spec?.taints
      const taint = taints && untoleratedTaint(taints, tolerations, noScheduleEffects)
      return taint && reject('TaintToleration', 'node(s) had untolerated taint(s)')
    }
  },
}

export const nodeAffinity: FilterPlugin = {
  name: 'NodeAffinity',
  only: ({ pod }) => namedNodes(pod),
  prepare({ pod }) {
    const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    if (namedNodes(pod)?.size === 0) return reject('NodeAffinity', 'pod affinity terms conflict')
    if (!required && Object.keys(pod.spec?.nodeSelector ?? {}).length === 0) return undefined
    return ({ node }) => (matchesNode(pod, node) ? undefined : reject('NodeAffinity', "node(s) didn't match Pod's node affinity/selector"))
  },
}

/** The nodes that each term of the Pod's node affinity asks for by name; undefined where a term does not. */
function namedNodes(pod: Pod): Set<string> | undefined {
  const { nodeSelectorTerms = [] } = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? {}
  const byTerm = nodeSelectorTerms.map(({ matchFields = [] }) =>
    matchFields
      .filter(({ key, operator }) => key === 'metadata.name' && operator === 'In')
      .map(({ values = [] }) => new Set(values))
      .reduce<Set<string> | undefined>((names, values) => names?.intersection(values) ?? values, undefined),
  )
  if (byTerm.length === 0 || byTerm.includes(undefined)) return undefined
  return new Set(byTerm.flatMap((names) => [...(names ?? [])]))
}

export const nodePorts: FilterPlugin = {
  name: 'NodePorts',
  prepare({ pod }) {
    if (hostPorts(pod).length === 0) return undefined
    return ({ pods }) => {
      if (!portsTaken(pod, pods)) return undefined
      return { plugin: 'NodePorts', reasons: ["node(s) didn't have free ports for the requested pod ports"], resolvable: true }
    }
  },
}

/** Whether one of the host ports that the Pod asks for is taken by the others on its node. */
export function portsTaken(pod: Pod, others: readonly Pod[]): boolean {
  const wanted = hostPorts(pod)
  if (wanted.length === 0) return false
  const used = others.flatMap(hostPorts)
  return wanted.some((port) => used.some((other) => portsConflict(port, other)))
}

function hostPorts(pod: Pod): ContainerPort[] {
  const sidecars = pod.spec?.initContainers?.filter((container: Container) => container.restartPolicy === 'Always') ?? []
  return [...(pod.spec?.containers ?? []), ...sidecars].flatMap(({ ports }) => ports ?? []).filter(({ hostPort }) => hostPort)
}

function portsConflict(a: ContainerPort, b: ContainerPort): boolean {
  const any = (port: ContainerPort) => !port.hostIP || port.hostIP === '0.0.0.0'
  const sameAddress = any(a) || any(b) || a.hostIP === b.hostIP
  return sameAddress && a.hostPort === b.hostPort && (a.protocol ?? 'TCP') === (b.protocol ?? 'TCP')
}

export const nodeResourcesFit: FilterPlugin = {
  name: 'NodeResourcesFit',
  prepare({ pod }) {
    const requests = Object.entries(podRequests(pod))
      .filter(([, request]) => request > 0)
      .sort(byName)
    return (info) => {
      const tooMany = info.pods.length + 1 > (info.allocatable['pods'] ?? 0)
      if (!tooMany && requests.every(([name, request]) => request <= available(info, name))) return undefined
      const reasons = tooMany ? ['Too many pods'] : []
      let resolvable = true
      for (const [name, request] of requests) {
        if (request <= available(info, name)) continue
        reasons.push(`Insufficient ${name}`)
        if (request > (info.allocatable[name] ?? 0)) resolvable = false
      }
      return { plugin: 'NodeResourcesFit', reasons, resolvable }
    }
  },
}

function available(info: NodeInfo, name: string): number {
  return (info.allocatable[name] ?? 0) - (info.requested[name] ?? 0)
}

function byName([a]: [string, number], [b]: [string, number]): number {
  return a < b ? -1 : 1
}

function reject(plugin: string, reason: string): Rejection {
  return { plugin, reasons: [reason], resolvable: false }
}
