import { safeSysctls } from '../admission/safe-sysctls.ts'
import { dotted } from '../containers/vfs/sysctl.ts'
import type { Cache } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { portsTaken } from '../scheduler/node-filters.ts'
import { matchesNode, untoleratedTaint } from '../scheduler/node-selection.ts'
import { parseQuantity } from '../schema/quantity.ts'
import type { Container, Node, Pod } from '../schema/types/core.v1.ts'
import type { NodeFacts } from './environment.ts'

/** Why a node's kubelet turns a pod away that was bound to it; undefined when it takes it. */
export function admissionFailure(pod: Pod, node: NodeFacts, others: Pod[], cache: Cache): { reason: string; message: string } | undefined {
  const sysctl = forbiddenSysctl(pod)
  if (sysctl) return { reason: 'SysctlForbidden', message: `forbidden sysctl: ${sysctl}` }
  if (others.length + 1 > Number(node.allocatable['pods'])) {
    return tooMuch('pods', 1n, BigInt(others.length), BigInt(node.allocatable['pods'] ?? 0))
  }
  for (const [name, unit] of [
    ['cpu', 1_000_000n],
    ['memory', 1_000_000_000n],
    ['ephemeral-storage', 1_000_000_000n],
  ] as const) {
    const requested = requestOf(pod, name) / unit
    if (requested === 0n) continue
    const used = others.reduce((sum, other) => sum + requestOf(other, name), 0n) / unit
    const capacity = parseQuantity(node.allocatable[name] ?? 0).nano / unit
    if (requested + used > capacity) return tooMuch(name, requested, used, capacity)
  }
  const known = cache.get<Node>(resources.nodes, node.name)
  if (known && !matchesNode(pod, known)) return failed('NodeAffinity', "node(s) didn't match Pod's node affinity/selector")
  if (portsTaken(pod, others)) return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports")
  const isStatic = pod.metadata.annotations?.['kubernetes.io/config.source'] === 'file'
  if (!isStatic && untoleratedTaint(known?.spec?.taints ?? [], pod.spec?.tolerations ?? [], ['NoExecute'])) {
    return failed('TaintToleration', "node(s) had taints that the pod didn't tolerate")
  }
  return undefined
}

/** Others than safe ones a node's kubelet would have to be told of. */
function forbiddenSysctl({ spec }: Pod): string | undefined {
  for (const { name } of spec?.securityContext?.sysctls ?? []) {
    const plain = dotted(name)
    if (!safeSysctls.has(plain)) return `${JSON.stringify(name)} not allowlisted`
    if (spec?.hostNetwork && plain.startsWith('net.')) return `${JSON.stringify(name)} not allowed with host net enabled`
    if (spec?.hostIPC && plain.startsWith('kernel.')) return `${JSON.stringify(name)} not allowed with host ipc enabled`
  }
  return undefined
}

function failed(predicate: string, reason: string): { reason: string; message: string } {
  return { reason: predicate, message: `Predicate ${predicate} failed: ${reason}` }
}

/** What a pod takes of a node, nano units: the sum of its containers, or its largest init container if that is more. */
export function requestOf(pod: Pod, resource: string): bigint {
  const of = (container: Container) => parseQuantity(container.resources?.requests?.[resource] ?? 0).nano
  let sum = (pod.spec?.containers ?? []).reduce((total, container) => total + of(container), 0n)
  let sidecars = 0n
  let peak = 0n
  for (const container of pod.spec?.initContainers ?? []) {
    if (container.restartPolicy === 'Always') sidecars += of(container)
    else if (sidecars + of(container) > peak) peak = sidecars + of(container)
  }
  sum += sidecars
  const overhead = parseQuantity(pod.spec?.overhead?.[resource] ?? 0).nano
  return (sum > peak ? sum : peak) + overhead
}

function tooMuch(resource: string, requested: bigint, used: bigint, capacity: bigint): { reason: string; message: string } {
  const message = `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`
  return { reason: `OutOf${resource}`, message }
}
