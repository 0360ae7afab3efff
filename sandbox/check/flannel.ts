/** Reading a cluster's Pod network in a judge: nodes, Pod addresses, and what flannel keeps on them. */
import type { Node } from '../embedded/schema/types/core.v1.ts'
import type { Evidence, LabDefinition, Query } from './kit.ts'
import { as, type ConfigMap, type Pod, type WatchedObject } from './objects.ts'

export interface NodeSeen {
  name: string
  podCIDR: string
  /** Its address on the network of nodes. */
  address: string
  ready: boolean
  /** Of flannel's device, as flanneld has announced it; '' when it announces none (host-gw). */
  vtepMAC: string
  /** 'vxlan', 'host-gw' ...; '' before flanneld has run there. */
  backend: string
}

const prefix = 'flannel.alpha.coreos.com'

/** What labs on flannel stand on: a control plane and two workers, with shells on all of them. */
export const onFlannel = {
  needs: ['api', 'pods', 'exec', 'node-shell', 'cni', 'terminal'],
  engines: ['kind', 'embedded'],
  nodes: 3,
  shape: { cni: 'flannel' },
} as const satisfies Partial<LabDefinition>

export const allNodes: Query = { kind: 'objects', selector: { group: '', version: 'v1', resource: 'nodes' } }

/** The ConfigMap of the default namespace in which learners note what they found. */
export function notesIn(name: string): Query {
  return { kind: 'objects', selector: { group: '', version: 'v1', resource: 'configmaps', namespace: 'default', name } }
}

/** A node by the part of its name that is the same on every cluster: 'worker' is kind-worker. */
export function nodeCalled(nodes: readonly WatchedObject[] | undefined, short: string): NodeSeen | undefined {
  return nodesOf(nodes).find(({ name }) => name === short || name.endsWith(`-${short}`))
}

export function nodesOf(nodes: readonly WatchedObject[] | undefined): NodeSeen[] {
  return as<Node>(nodes).map(({ metadata, spec, status }) => ({
    name: metadata.name ?? '',
    podCIDR: spec?.podCIDR ?? '',
    address: status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '',
    ready: status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false,
    vtepMAC: macIn(metadata.annotations?.[`${prefix}/backend-data`]),
    backend: metadata.annotations?.[`${prefix}/backend-type`] ?? '',
  }))
}

/** Whether an IPv4 address lies in a network such as 10.244.1.0/24; false for what is neither. */
export function isInCIDR(address: string | undefined, cidr: string): boolean {
  const [network = '', length = ''] = cidr.split('/')
  const [whole, part] = [numberOf(address ?? ''), numberOf(network)]
  if (whole === null || part === null || !/^\d+$/.test(length)) return false
  const size = 2 ** (32 - Number(length))
  return Math.floor(whole / size) === Math.floor(part / size)
}

export interface NetConf {
  network: string
  /** 'vxlan', 'host-gw' ... */
  type: string
}

/** flannel's net-conf.json; null when it is missing or no JSON. */
export function netConfOf(configMaps: readonly WatchedObject[] | undefined): NetConf | null {
  const found = as<ConfigMap>(configMaps).find(({ metadata }) => metadata.name === 'kube-flannel-cfg')
  try {
    const { Network = '', Backend } = JSON.parse(found?.data?.['net-conf.json'] ?? '') as { Network?: string; Backend?: { Type?: string } }
    return { network: Network, type: Backend?.Type ?? '' }
  } catch {
    return null
  }
}

/** Pods that are not on their way out. */
export function staying(pods: readonly WatchedObject[] | undefined): Pod[] {
  return as<Pod>(pods).filter(({ metadata, status }) => !metadata.deletionTimestamp && status?.phase !== 'Failed')
}

/** What a command printed, when it ended well. */
export function saidBy(evidence: Evidence, command: string): string | undefined {
  const result = evidence.commands[command]
  return result?.exitCode === 0 ? result.stdout.trim() : undefined
}

/** A value of the ConfigMap report or the like, without the space around it; undefined when there is none. */
export function noted(configMaps: readonly WatchedObject[] | undefined, name: string, key: string): string | undefined {
  return as<ConfigMap>(configMaps)
    .find(({ metadata }) => metadata.name === name)
    ?.data?.[key]?.trim()
}

function macIn(data: string | undefined): string {
  return /"VtepMAC":"([0-9a-f:]+)"/i.exec(data ?? '')?.[1] ?? ''
}

function numberOf(address: string): number | null {
  const parts = address.split('.').map(Number)
  return parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part < 256)
    ? parts.reduce((sum, part) => sum * 256 + part, 0)
    : null
}
