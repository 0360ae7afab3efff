import { isIP } from 'node:net'
import type { Service, ServiceSpec } from '../../schema/types/core.v1.ts'
import { cidrErrors, ipErrors, isCidr } from '../addresses.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, required, specPath } from '../field.ts'
import { validateEnum, validateLabels } from '../metadata.ts'
import { dns1035Label, isDns1123Label, isDns1123Subdomain, isPortNumber, isQualifiedName } from '../names.ts'
import { validatePort } from '../probe-validation.ts'
import { AllocationError, type Allocator } from '../resource-info.ts'
import { dropUseless, keepAllocated, validateServiceChange } from '../service-update.ts'
import { validateServiceStatus } from './balancer-status.ts'

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const affinitySeconds = 10800

/** pkg/apis/core/v1/defaults.go, pkg/registry/core/service. */
export const serviceRules: Partial<Definition<Service>> = {
  validateStatus: validateServiceStatus,
  name: dns1035Label,
  default({ spec, status }) {
    if (!spec) return
    spec.sessionAffinity ??= 'None'
    if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
    if (spec.sessionAffinity === 'ClientIP') {
      const clientIP = ((spec.sessionAffinityConfig ??= {}).clientIP ??= {})
      clientIP.timeoutSeconds ??= affinitySeconds
    }
    spec.type ??= 'ClusterIP'
    for (const port of spec.ports ?? []) {
      port.protocol ??= 'TCP'
      if (!port.targetPort) port.targetPort = port.port
    }
    const outside = spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.type === 'ClusterIP' && spec.externalIPs?.length)
    if (outside) spec.externalTrafficPolicy ??= 'Cluster'
    if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster'
    if (spec.type !== 'LoadBalancer') return
    spec.allocateLoadBalancerNodePorts ??= true
    for (const ingress of status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= 'VIP'
  },
  prepareForCreate(service, { allocator }) {
    service.status = { loadBalancer: {} }
    if (service.spec) allocate(service.spec, allocator)
  },
  prepareForUpdate(service, old, { allocator }) {
    const { spec } = service
    if (!spec || !old.spec) return
    keepAllocated(spec, old.spec)
    allocate(spec, allocator, old.spec)
    dropUseless(spec, old.spec)
  },
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    return [...validatePorts(spec), ...validateAddresses(spec), ...validateTraffic(spec), ...validateBalancer(spec)]
  },
  validateChange: ({ spec }, old) => (spec && old.spec ? validateServiceChange(spec, old.spec) : []),
  fieldSelectors: { 'spec.clusterIP': ({ spec }) => spec?.clusterIP ?? '', 'spec.type': ({ spec }) => spec?.type ?? '' },
}

function allocate(spec: ServiceSpec, allocator: Allocator, old?: ServiceSpec): void {
  if (spec.type === 'ExternalName') {
    delete spec.internalTrafficPolicy
    return
  }
  if (!old && !spec.clusterIPs?.length) spec.clusterIPs = spec.clusterIP ? [spec.clusterIP] : []
  allocateAddress(spec, allocator, old)
  allocatePorts(spec, allocator, old)
}

function allocateAddress(spec: ServiceSpec, allocator: Allocator, old: ServiceSpec | undefined): void {
  const everywhere = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0
  spec.ipFamilyPolicy ??= everywhere ? 'RequireDualStack' : 'SingleStack'
  refuse(clusterAddressErrors(spec))
  const families = spec.ipFamilies?.length ? spec.ipFamilies : ['IPv4']
  const isSingle = spec.ipFamilyPolicy === 'SingleStack'
  // somebody else says where such a service leads: families that the cluster does not have are no matter
  if (everywhere) {
    spec.ipFamilies = families.length < 2 && !isSingle ? [...families, families[0] === 'IPv4' ? 'IPv6' : 'IPv4'] : families
  } else {
    refuse(familyErrors(spec, families))
    spec.ipFamilies = families
  }
  if (spec.clusterIP === 'None') return
  const wanted = spec.clusterIP || undefined
  const refusal = (why: string) => invalid(specPath.child('clusterIPs'), [wanted], `failed to allocate IP ${wanted}: ${why}`)
  if (wanted && old?.clusterIP === wanted) return
  spec.clusterIP = located(() => allocator.clusterIP(wanted), refusal)
  spec.clusterIPs = [spec.clusterIP]
}

function allocatePorts(spec: ServiceSpec, allocator: Allocator, old: ServiceSpec | undefined): void {
  if (spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)) {
    // a port that is served by two protocols has one number outside; of a Service that is changed only where it is asked for
    const outside = new Map<number, number>()
    const given = new Set<number>()
    for (const [index, port] of (spec.ports ?? []).entries()) {
      const wanted = port.nodePort || undefined
      const known = old ? undefined : outside.get(port.port)
      const isHeld = wanted !== undefined && (given.has(wanted) || old?.ports?.some(({ nodePort }) => nodePort === wanted))
      const isShared = known !== undefined && (wanted === undefined || wanted === known)
      const at = specPath.child('ports').index(index).child('nodePort')
      if (isShared) port.nodePort = known
      else if (!isHeld) {
        port.nodePort = located(
          () => allocator.nodePort(wanted),
          (why) => invalid(at, wanted, why),
        )
      }
      if (port.nodePort === undefined) continue
      outside.set(port.port, port.nodePort)
      if (old) given.add(port.nodePort)
    }
  }
  if (spec.type !== 'LoadBalancer' || spec.externalTrafficPolicy !== 'Local') return
  if (spec.healthCheckNodePort && spec.healthCheckNodePort === old?.healthCheckNodePort) return
  spec.healthCheckNodePort = allocator.nodePort(spec.healthCheckNodePort || undefined)
}

function refuse(errors: readonly FieldError[]): void {
  if (errors.length === 0) return
  const error = new AllocationError(errors.map(({ message }) => message).join(', '))
  error.fields = errors
  throw error
}

/** ValidateServiceClusterIPsRelatedFields. */
function clusterAddressErrors({ clusterIP = '', clusterIPs = [], ipFamilies = [], ipFamilyPolicy }: ServiceSpec): FieldError[] {
  const at = specPath.child('clusterIPs')
  const errors: FieldError[] = []
  if (clusterIP && clusterIPs.length === 0) errors.push(required(at))
  else if (clusterIP && clusterIPs[0] !== clusterIP) errors.push(invalid(at, clusterIPs, 'first value must match `clusterIP`'))
  else if (!clusterIP && clusterIPs.length > 0) errors.push(invalid(at, clusterIPs, 'must be empty when `clusterIP` is not specified'))
  for (const [index, family] of ipFamilies.entries()) {
    const place = specPath.child('ipFamilies').index(index)
    errors.push(...validateEnum(family, ['IPv4', 'IPv6'], place))
    if (ipFamilies.indexOf(family) < index) errors.push(duplicate(place, family))
  }
  errors.push(...validateEnum(ipFamilyPolicy, familyPolicies, specPath.child('ipFamilyPolicy')))
  const bad = clusterIPs.flatMap((address, index) => {
    if (index > 0 || address !== 'None') return ipErrors(address, at.index(index))
    return clusterIPs.length > 1 ? [invalid(at, clusterIPs, "'None' must be the first and only value")] : []
  })
  errors.push(...bad, ...(clusterIPs.length > 2 ? [invalid(at, clusterIPs, 'may only hold up to 2 values')] : []))
  if (bad.length > 0) return errors
  const versions = clusterIPs.map((address) => isIP(address))
  if (clusterIPs.length > 1 && new Set(versions).size < 2)
    errors.push(invalid(at, clusterIPs, 'may specify no more than one IP for each IP family'))
  if (clusterIP === 'None') return errors
  for (const [index, family] of ipFamilies.slice(0, clusterIPs.length).entries()) {
    const isUnlike = (family === 'IPv4' && versions[index] === 6) || (family === 'IPv6' && versions[index] === 4)
    if (!isUnlike) continue
    errors.push(invalid(at.index(index), clusterIPs[index], `expected an ${family} value as indicated by \`ipFamilies[${index}]\``))
  }
  return errors
}

/** Of a cluster that has addresses of one family. */
function familyErrors({ clusterIPs = [], ipFamilyPolicy }: ServiceSpec, families: readonly string[]): FieldError[] {
  const policy = specPath.child('ipFamilyPolicy')
  const many = (what: string) =>
    invalid(policy, ipFamilyPolicy, `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`)
  if (ipFamilyPolicy === 'SingleStack' && (clusterIPs.length === 2 || families.length === 2)) {
    return [...(clusterIPs.length === 2 ? [many('cluster IPs')] : []), ...(families.length === 2 ? [many('IP families')] : [])]
  }
  const foreign = families.flatMap((family, index) =>
    family === 'IPv4' ? [] : [invalid(specPath.child('ipFamilies').index(index), family, 'not configured on this cluster')],
  )
  if (ipFamilyPolicy !== 'RequireDualStack') return foreign
  return [invalid(policy, ipFamilyPolicy, 'this cluster is not configured for dual-stack services'), ...foreign]
}

/** Says of an allocation that fails which field asked for it. */
function located<T>(allocation: () => T, refusal: (why: string) => FieldError): T {
  try {
    return allocation()
  } catch (error) {
    if (error instanceof AllocationError) error.fields = [refusal(error.message)]
    throw error
  }
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
    if (port.appProtocol !== undefined) {
      const { appProtocol } = port
      errors.push(...isQualifiedName(appProtocol).map((text) => invalid(at.child('appProtocol'), appProtocol, text)))
    }
    errors.push(...validatePort(port.targetPort, at.child('targetPort')))
    if (port.nodePort && spec.type === 'ClusterIP') {
      errors.push(forbidden(at.child('nodePort'), `may not be used when \`type\` is '${spec.type}'`))
    }
    const key = `${port.protocol}/${port.port}`
    if (used.has(key))
      errors.push({
        ...duplicate(at, ''),
        message: `Duplicate value: ${JSON.stringify({ Name: '', Protocol: port.protocol, AppProtocol: null, Port: port.port, TargetPort: 0, NodePort: 0 })}`,
      })
    used.add(key)
    const { nodePort, protocol } = port
    const isRepeated = nodePort && ports.slice(0, index).some((other) => other.nodePort === nodePort && other.protocol === protocol)
    if (isRepeated) errors.push(duplicate(at.child('nodePort'), nodePort))
  }
  return errors
}

function validateAddresses(spec: ServiceSpec): FieldError[] {
  const errors = validateLabels(spec.selector, specPath.child('selector'))
  if (!spec.type) errors.push(required(specPath.child('type')))
  else if (!types.includes(spec.type)) errors.push(notSupported(specPath.child('type'), spec.type, types))
  errors.push(...validateEnum(spec.sessionAffinity, ['ClientIP', 'None'], specPath.child('sessionAffinity')))
  errors.push(...validateEnum(spec.internalTrafficPolicy, ['Cluster', 'Local'], specPath.child('internalTrafficPolicy')))
  if (spec.type === 'LoadBalancer' && spec.clusterIP === 'None') {
    errors.push(invalid(specPath.child('clusterIPs').index(0), 'None', "may not be set to 'None' for LoadBalancer services"))
  }
  if (spec.type === 'NodePort' && spec.clusterIP === 'None') {
    errors.push(invalid(specPath.child('clusterIPs').index(0), 'None', "may not be set to 'None' for NodePort services"))
  }
  if (spec.type === 'ExternalName') {
    for (const field of ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const) {
      const value = field === 'clusterIPs' && spec.clusterIP ? [spec.clusterIP] : spec[field]
      if (value?.length) errors.push(forbidden(specPath.child(field), 'may not be set for ExternalName services'))
    }
    const at = specPath.child('externalName')
    const name = (spec.externalName ?? '').replace(/\.$/, '')
    if (!name) errors.push(required(at))
    else errors.push(...isDns1123Subdomain(name).map((text) => invalid(at, spec.externalName, text)))
  }
  return errors
}

const familyPolicies = ['PreferDualStack', 'RequireDualStack', 'SingleStack']
const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode']
const mostAffinitySeconds = 86_400

/** From where traffic may come and which way it goes. Source: ValidateService in pkg/apis/core/validation. */
function validateTraffic(spec: ServiceSpec): FieldError[] {
  const at = (name: string) => specPath.child(name)
  const { externalIPs = [], externalTrafficPolicy: policy, trafficDistribution, healthCheckNodePort = 0 } = spec
  const errors: FieldError[] = externalIPs.flatMap((address, index) => ipErrors(address, at('externalIPs').index(index)))
  if (spec.sessionAffinity === 'ClientIP') {
    const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? affinitySeconds
    const place = specPath.child('sessionAffinityConfig', 'clientIP', 'timeoutSeconds')
    if (seconds <= 0 || seconds > mostAffinitySeconds) {
      errors.push(invalid(place, seconds, `must be greater than 0 and less than ${mostAffinitySeconds}`))
    }
  }
  const outside = spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && externalIPs.length > 0)
  if (outside) {
    errors.push(
      ...(policy ? validateEnum(policy, ['Cluster', 'Local'], at('externalTrafficPolicy')) : [required(at('externalTrafficPolicy'))]),
    )
  } else if (policy) errors.push(invalid(at('externalTrafficPolicy'), policy, 'may only be set for externally-accessible services'))
  if (healthCheckNodePort !== 0 && !(spec.type === 'LoadBalancer' && policy === 'Local')) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    errors.push(invalid(at('healthCheckNodePort'), healthCheckNodePort, why))
  } else if (healthCheckNodePort !== 0) {
    errors.push(...isPortNumber(healthCheckNodePort).map((text) => invalid(at('healthCheckNodePort'), healthCheckNodePort, text)))
  }
  errors.push(...validateEnum(trafficDistribution, distributions, at('trafficDistribution')))
  return spec.type === 'ExternalName' ? errors : [...errors, ...clusterAddressErrors(spec)]
}

/** What only a load balancer has. */
function validateBalancer(spec: ServiceSpec): FieldError[] {
  const { loadBalancerClass: className, loadBalancerSourceRanges: ranges = [] } = spec
  const only = "may only be used when `type` is 'LoadBalancer'"
  const balances = spec.type === 'LoadBalancer'
  const place = specPath.child('LoadBalancerSourceRanges')
  const errors: FieldError[] = ranges.length > 0 && !balances ? [forbidden(place, only)] : []
  for (const [index, range] of ranges.entries()) {
    if (!isCidr(range.trim())) errors.push(...cidrErrors(range, place.index(index)))
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && !balances) {
    errors.push(forbidden(specPath.child('allocateLoadBalancerNodePorts'), only))
  }
  if (className === undefined) return errors
  const at = specPath.child('loadBalancerClass')
  if (!balances) return [...errors, forbidden(at, only)]
  return [...errors, ...isQualifiedName(className).map((text) => invalid(at, className, text))]
}
