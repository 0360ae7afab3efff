import type { Cache } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { parseQuantity } from '../schema/quantity.ts'
import type { ConfigMap, Container, Pod, ResourceFieldSelector, Secret, Service } from '../schema/types/core.v1.ts'
import { containerNamed } from './pod-containers.ts'

/** A container cannot be configured as its spec asks; the message is the one of CreateContainerConfigError. */
export class ConfigError extends Error {}

export interface NodeFacts {
  name: string
  ip: string
  allocatable: Record<string, string>
}

export interface EnvironmentVariable {
  name: string
  value: string
}

/** The variables a container starts with, in the kubelet's order. Throws ConfigError. */
export function environmentOf(cache: Cache, pod: Pod, container: Container, podIP: string, node: NodeFacts): EnvironmentVariable[] {
  const namespace = pod.metadata.namespace ?? ''
  const services = serviceVariables(cache, namespace, pod.spec?.enableServiceLinks !== false)
  const result = new Map<string, string>()
  const expanding = (text: string) => expand(text, (name) => result.get(name) ?? services.get(name))

  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef?.name) {
      const data = configMapData(cache, namespace, configMapRef.name, configMapRef.optional)
      for (const [key, value] of Object.entries(data ?? {})) result.set(prefix + key, value)
    } else if (secretRef?.name) {
      const data = secretData(cache, namespace, secretRef.name, secretRef.optional)
      for (const [key, value] of Object.entries(data ?? {})) result.set(prefix + key, decode(value))
    }
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (value || !valueFrom) {
      result.set(name, expanding(value ?? ''))
    } else if (valueFrom.fieldRef) {
      result.set(name, fieldValue(pod, valueFrom.fieldRef.fieldPath, podIP, node))
    } else if (valueFrom.resourceFieldRef) {
      result.set(name, resourceValue(pod, container, valueFrom.resourceFieldRef, node))
    } else if (valueFrom.configMapKeyRef) {
      const { name: from = '', key, optional } = valueFrom.configMapKeyRef
      const found = configMapData(cache, namespace, from, optional)?.[key]
      if (found !== undefined) result.set(name, found)
      else if (!optional) throw new ConfigError(`couldn't find key ${key} in ConfigMap ${namespace}/${from}`)
    } else if (valueFrom.secretKeyRef) {
      const { name: from = '', key, optional } = valueFrom.secretKeyRef
      const found = secretData(cache, namespace, from, optional)?.[key]
      if (found !== undefined) result.set(name, decode(found))
      else if (!optional) throw new ConfigError(`couldn't find key ${key} in Secret ${namespace}/${from}`)
    }
  }
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value)
  return [...result].map(([name, value]) => ({ name, value }))
}

/** $(NAME) becomes its value, an unknown name stays, $$ is a dollar sign. */
export function expand(text: string, lookUp: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (reference, name: string | undefined) =>
    name === undefined ? '$' : (lookUp(name) ?? reference),
  )
}

/** The downward API's fields. Throws ConfigError for a path that has none. */
export function fieldValue(pod: Pod, path: string, podIP: string, node: NodeFacts): string {
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path)
  if (keyed) return pod.metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] ?? ''] ?? ''
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name ?? ''
    case 'metadata.namespace':
      return pod.metadata.namespace ?? ''
    case 'metadata.uid':
      return pod.metadata.uid ?? ''
    case 'metadata.labels':
      return formatMap(pod.metadata.labels)
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations)
    case 'spec.nodeName':
      return pod.spec?.nodeName ?? ''
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? ''
    case 'status.hostIP':
    case 'status.hostIPs':
      return node.ip
    case 'status.podIP':
    case 'status.podIPs':
      return podIP
    default:
      throw new ConfigError(`unsupported fieldPath: ${path}`)
  }
}

/** The downward API's resources, in units of the divisor, rounded up; a missing limit is the node's. */
export function resourceValue(pod: Pod, container: Container, selector: ResourceFieldSelector, node: NodeFacts): string {
  const from = selector.containerName ? containerNamed(pod, selector.containerName) : container
  if (!from) throw new ConfigError(`container ${selector.containerName} not found`)
  const [kind, resource = ''] = selector.resource.split('.')
  const { limits, requests } = from.resources ?? {}
  const amount = kind === 'limits' ? (limits?.[resource] ?? node.allocatable[resource] ?? '0') : (requests?.[resource] ?? '0')
  const divisor = selector.divisor && parseQuantity(selector.divisor).nano > 0n ? parseQuantity(selector.divisor).nano : 1_000_000_000n
  return String((parseQuantity(amount).nano + divisor - 1n) / divisor)
}

function serviceVariables(cache: Cache, namespace: string, links: boolean): Map<string, string> {
  const variables = new Map<string, string>()
  const services = cache.list<Service>(resources.services).filter(({ metadata, spec }) => {
    if (!spec?.clusterIP || spec.clusterIP === 'None' || spec.type === 'ExternalName') return false
    if (metadata.namespace === 'default' && metadata.name === 'kubernetes') return true
    return links && metadata.namespace === namespace
  })
  for (const { metadata, spec } of services) {
    const prefix = metadata.name?.toUpperCase().replaceAll('-', '_') ?? ''
    const ip = spec?.clusterIP ?? ''
    const ports = spec?.ports ?? []
    variables.set(`${prefix}_SERVICE_HOST`, ip)
    if (ports[0]) variables.set(`${prefix}_SERVICE_PORT`, String(ports[0].port))
    for (const { name, port } of ports) {
      if (name) variables.set(`${prefix}_SERVICE_PORT_${name.toUpperCase().replaceAll('-', '_')}`, String(port))
    }
    for (const [index, { port, protocol = 'TCP' }] of ports.entries()) {
      const url = `${protocol.toLowerCase()}://${ip}:${port}`
      const each = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`
      if (index === 0) variables.set(`${prefix}_PORT`, url)
      variables.set(each, url)
      variables.set(`${each}_PROTO`, protocol.toLowerCase())
      variables.set(`${each}_PORT`, String(port))
      variables.set(`${each}_ADDR`, ip)
    }
  }
  return variables
}

function configMapData(cache: Cache, namespace: string, name: string, optional = false): Record<string, string> | undefined {
  const found = cache.get<ConfigMap>(resources.configMaps, name, namespace)
  if (!found && !optional) throw new ConfigError(`configmap "${name}" not found`)
  return found ? (found.data ?? {}) : undefined
}

function secretData(cache: Cache, namespace: string, name: string, optional = false): Record<string, string> | undefined {
  const found = cache.get<Secret>(resources.secrets, name, namespace)
  if (!found && !optional) throw new ConfigError(`secret "${name}" not found`)
  return found ? (found.data ?? {}) : undefined
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString()
}

/** As the downward API writes labels and annotations: one quoted pair a line, sorted. */
function formatMap(map: Record<string, string> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n')
}
