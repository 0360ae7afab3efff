import type { Service, ServicePort, ServiceSpec } from '../../schema/types/core.v1.ts'
import { validatePort } from '../container-validation.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, required, specPath } from '../field.ts'
import { validateEnum, validateLabels } from '../metadata.ts'
import { dns1035Label, isDns1123Label, isDns1123Subdomain, isPortNumber } from '../names.ts'
import { AllocationError, type Allocator } from '../resource-info.ts'

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const affinitySeconds = 10800

/** pkg/apis/core/v1/defaults.go, pkg/registry/core/service. */
export const serviceRules: Partial<Definition<Service>> = {
  name: dns1035Label,
  default({ spec }) {
    if (!spec) return
    spec.sessionAffinity ??= 'None'
    if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
    else spec.sessionAffinityConfig ??= { clientIP: { timeoutSeconds: affinitySeconds } }
    spec.type ??= 'ClusterIP'
    for (const port of spec.ports ?? []) {
      port.protocol ??= 'TCP'
      if (!port.targetPort) port.targetPort = port.port
    }
    const outside = spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.type === 'ClusterIP' && spec.externalIPs?.length)
    if (outside) spec.externalTrafficPolicy ??= 'Cluster'
    if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster'
    if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true
  },
  prepareForCreate(service, { allocator }) {
    service.status = { loadBalancer: {} }
    if (service.spec) allocate(service.spec, allocator, [])
  },
  prepareForUpdate(service, old, { allocator }) {
    const { spec } = service
    if (!spec || !old.spec) return
    keepAllocated(spec, old.spec)
    allocate(spec, allocator, old.spec.ports ?? [])
  },
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    return [...validatePorts(spec), ...validateAddresses(spec)]
  },
  validateChange({ spec }, old) {
    const before = old.spec?.clusterIPs ?? []
    if (!spec || spec.type === 'ExternalName' || old.spec?.type === 'ExternalName' || !before[0]) return []
    if (spec.clusterIP === before[0]) return []
    return [invalid(specPath.child('clusterIPs').index(0), spec.clusterIPs?.[0] ?? '', 'may not change once set')].map((error) => ({
      ...error,
      message: `Invalid value: ${JSON.stringify(spec.clusterIPs ?? [])}: may not change once set`,
    }))
  },
  fieldSelectors: { 'spec.clusterIP': ({ spec }) => spec?.clusterIP ?? '', 'spec.type': ({ spec }) => spec?.type ?? '' },
}

function allocate(spec: ServiceSpec, allocator: Allocator, before: readonly ServicePort[]): void {
  if (spec.type === 'ExternalName') {
    delete spec.clusterIPs
    delete spec.clusterIP
    delete spec.ipFamilies
    delete spec.ipFamilyPolicy
    return
  }
  const wanted = spec.clusterIP ?? spec.clusterIPs?.[0]
  if (!spec.clusterIPs?.length || spec.clusterIPs[0] !== wanted) {
    const refusal = (why: string) => invalid(specPath.child('clusterIPs'), [wanted], `failed to allocate IP ${wanted}: ${why}`)
    spec.clusterIP = wanted === 'None' ? 'None' : located(() => allocator.clusterIP(wanted), refusal)
    spec.clusterIPs = [spec.clusterIP]
  } else if (spec.clusterIP === undefined) {
    spec.clusterIP = wanted === 'None' ? 'None' : allocator.clusterIP(wanted)
  }
  spec.ipFamilies ??= ['IPv4']
  spec.ipFamilyPolicy ??= 'SingleStack'
  const needsPorts = spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)
  if (!needsPorts) return
  for (const [index, port] of (spec.ports ?? []).entries()) {
    if (port.nodePort && before.some(({ nodePort }) => nodePort === port.nodePort)) continue
    const at = specPath.child('ports').index(index).child('nodePort')
    port.nodePort = located(
      () => allocator.nodePort(port.nodePort || undefined),
      (why) => invalid(at, port.nodePort, why),
    )
  }
}

/** Says of an allocation that fails which field asked for it. */
function located<T>(allocation: () => T, refusal: (why: string) => FieldError): T {
  try {
    return allocation()
  } catch (error) {
    if (error instanceof AllocationError) error.field = refusal(error.message)
    throw error
  }
}

/** What a client may leave out of an update keeps its value; what the new type has no use for goes. */
function keepAllocated(spec: ServiceSpec, old: ServiceSpec): void {
  const hasAddress = (type: string | undefined) => type !== 'ExternalName'
  if (hasAddress(spec.type) && hasAddress(old.type)) {
    spec.clusterIP ??= spec.clusterIPs?.[0] ?? old.clusterIP
    spec.clusterIPs ??= spec.clusterIP === undefined ? undefined : [spec.clusterIP]
    spec.ipFamilies ??= old.ipFamilies && [...old.ipFamilies]
    spec.ipFamilyPolicy ??= old.ipFamilyPolicy
  }
  const hasNodePorts = (type: string | undefined) => type === 'NodePort' || type === 'LoadBalancer'
  const same = (a: { port: number; protocol?: string }, b: { port: number; protocol?: string }) =>
    a.port === b.port && a.protocol === b.protocol
  for (const port of spec.ports ?? []) {
    const before = old.ports?.find((other) => same(other, port))
    if (hasNodePorts(spec.type) && hasNodePorts(old.type)) port.nodePort ??= before?.nodePort
    else if (!hasNodePorts(spec.type) && hasNodePorts(old.type) && port.nodePort === before?.nodePort) delete port.nodePort
    if (port.nodePort === undefined) delete port.nodePort
  }
  if (!hasNodePorts(spec.type) && hasNodePorts(old.type) && !spec.externalIPs?.length) delete spec.externalTrafficPolicy
}

function validatePorts(spec: ServiceSpec): FieldError[] {
  const path = specPath.child('ports')
  const ports = spec.ports ?? []
  const errors: FieldError[] = []
  if (ports.length === 0 && spec.type !== 'ExternalName' && spec.clusterIP !== 'None') errors.push(required(path))
  const names = new Set<string>()
  const used = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const at = path.index(index)
    if (!port.name) {
      if (ports.length > 1) errors.push(required(at.child('name')))
    } else {
      errors.push(...isDns1123Label(port.name).map((text) => invalid(at.child('name'), port.name, text)))
      if (names.has(port.name)) errors.push(duplicate(at.child('name'), port.name))
      names.add(port.name)
    }
    errors.push(...isPortNumber(port.port).map((text) => invalid(at.child('port'), port.port, text)))
    errors.push(...validateEnum(port.protocol, ['SCTP', 'TCP', 'UDP'], at.child('protocol')))
    errors.push(...validatePort(port.targetPort, at.child('targetPort')))
    if (port.nodePort && spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') {
      errors.push(forbidden(at.child('nodePort'), `may not be used when \`type\` is '${spec.type}'`))
    }
    const key = `${port.protocol}/${port.port}`
    if (used.has(key))
      errors.push({
        ...duplicate(at, ''),
        message: `Duplicate value: ${JSON.stringify({ Name: '', Protocol: port.protocol, AppProtocol: null, Port: port.port, TargetPort: 0, NodePort: 0 })}`,
      })
    used.add(key)
  }
  return errors
}

function validateAddresses(spec: ServiceSpec): FieldError[] {
  const errors = validateLabels(spec.selector, specPath.child('selector'))
  if (!spec.type) errors.push(required(specPath.child('type')))
  else if (!types.includes(spec.type)) errors.push(notSupported(specPath.child('type'), spec.type, types))
  errors.push(...validateEnum(spec.sessionAffinity, ['ClientIP', 'None'], specPath.child('sessionAffinity')))
  errors.push(...validateEnum(spec.externalTrafficPolicy, ['Cluster', 'Local'], specPath.child('externalTrafficPolicy')))
  errors.push(...validateEnum(spec.internalTrafficPolicy, ['Cluster', 'Local'], specPath.child('internalTrafficPolicy')))
  if (spec.type === 'LoadBalancer' && spec.clusterIP === 'None') {
    errors.push(invalid(specPath.child('clusterIPs').index(0), 'None', "may not be set to 'None' for LoadBalancer services"))
  }
  if (spec.type === 'NodePort' && spec.clusterIP === 'None') {
    errors.push(invalid(specPath.child('clusterIPs').index(0), 'None', "may not be set to 'None' for NodePort services"))
  }
  if (spec.type === 'ExternalName') {
    const at = specPath.child('externalName')
    const name = (spec.externalName ?? '').replace(/\.$/, '')
    if (!name) errors.push(required(at))
    else errors.push(...isDns1123Subdomain(name).map((text) => invalid(at, spec.externalName, text)))
  }
  return errors
}
