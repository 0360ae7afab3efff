import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Namespace, Pod } from '../schema/types/core.v1.ts'
import type { LabelSelector } from '../schema/types/meta.v1.ts'
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../schema/types/networking.v1.ts'
import { inCIDR } from './addresses.ts'

/** One side of a connection; `pod` where it is a pod of the pod network. */
export interface Party {
  ip: string
  pod?: { namespace: string; name: string; labels: Record<string, string> }
}

/**
 * Whether NetworkPolicies let a connection through, judged after Service translation. Policies add up; a pod that none
 * selects for a direction is open in it.
 * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export function admits(ctx: ClusterContext, from: Party, to: Party, port: number, protocol = 'TCP'): boolean {
  if (from.ip === to.ip) return true
  const policies = ctx.cache.list<NetworkPolicy>(resources.networkPolicies)
  if (policies.length === 0) return true
  const named = (name: string) => namedPort(ctx, to, name, protocol)

  const egress = selecting(policies, from, 'Egress')
  const out = egress.length === 0 || egress.some((policy) => rulesAdmit(ctx, policy, 'to', to, port, protocol, named))
  if (!out) return false
  const ingress = selecting(policies, to, 'Ingress')
  return ingress.length === 0 || ingress.some((policy) => rulesAdmit(ctx, policy, 'from', from, port, protocol, named))
}

function selecting(policies: readonly NetworkPolicy[], party: Party, direction: 'Ingress' | 'Egress'): NetworkPolicy[] {
  const { pod } = party
  if (!pod) return []
  return policies.filter(({ metadata, spec }) => {
    if (!spec || metadata.namespace !== pod.namespace || !selects(spec.podSelector, pod.labels)) return false
    const types = spec.policyTypes ?? ['Ingress', ...(spec.egress?.length ? ['Egress'] : [])]
    return types.includes(direction)
  })
}

function rulesAdmit(
  ctx: ClusterContext,
  policy: NetworkPolicy,
  side: 'from' | 'to',
  peer: Party,
  port: number,
  protocol: string,
  named: (name: string) => number | undefined,
): boolean {
  const rules =
    side === 'from'
      ? (policy.spec?.ingress ?? []).map((rule) => ({ peers: rule.from, ports: rule.ports }))
      : (policy.spec?.egress ?? []).map((rule) => ({ peers: rule.to, ports: rule.ports }))
  return rules.some(
    ({ peers, ports }) =>
      (!peers?.length || peers.some((entry) => peerMatches(ctx, policy.metadata.namespace ?? '', entry, peer))) &&
      (!ports?.length || ports.some((entry) => portMatches(entry, port, protocol, named))),
  )
}

function peerMatches(ctx: ClusterContext, policyNamespace: string, entry: NetworkPolicyPeer, peer: Party): boolean {
  if (entry.ipBlock) {
    return inCIDR(peer.ip, entry.ipBlock.cidr) && !entry.ipBlock.except?.some((block) => inCIDR(peer.ip, block))
  }
  const { pod } = peer
  if (!pod) return false
  if (entry.namespaceSelector) {
    const namespace = ctx.cache.get<Namespace>(resources.namespaces, pod.namespace)
    if (!selects(entry.namespaceSelector, namespace?.metadata.labels ?? {})) return false
  } else if (pod.namespace !== policyNamespace) {
    return false
  }
  return !entry.podSelector || selects(entry.podSelector, pod.labels)
}

function portMatches(entry: NetworkPolicyPort, port: number, protocol: string, named: (name: string) => number | undefined): boolean {
  if ((entry.protocol ?? 'TCP') !== protocol) return false
  if (entry.port === undefined) return true
  const first = typeof entry.port === 'string' ? named(entry.port) : entry.port
  if (first === undefined) return false
  return entry.endPort === undefined ? port === first : port >= first && port <= entry.endPort
}

function namedPort(ctx: ClusterContext, to: Party, name: string, protocol: string): number | undefined {
  if (!to.pod) return undefined
  const pod = ctx.cache.get<Pod>(resources.pods, to.pod.name, to.pod.namespace)
  for (const container of [...(pod?.spec?.containers ?? []), ...(pod?.spec?.initContainers ?? [])]) {
    const port = container.ports?.find((entry) => entry.name === name && (entry.protocol ?? 'TCP') === protocol)
    if (port) return port.containerPort
  }
  return undefined
}

function selects(selector: LabelSelector, labels: Record<string, string>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false
  return (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
    const value = labels[key]
    switch (operator) {
      case 'In':
        return value !== undefined && (values ?? []).includes(value)
      case 'NotIn':
        return value === undefined || !(values ?? []).includes(value)
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
      default:
        return false
    }
  })
}
