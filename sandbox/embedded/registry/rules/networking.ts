import { isIP } from 'node:net'
import type { EndpointSlice } from '../../schema/types/discovery.v1.ts'
import type {
  Ingress,
  IngressBackend,
  IngressClass,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '../../schema/types/networking.v1.ts'
import { validatePort } from '../container-validation.ts'
import type { Definition } from '../define.ts'
import { type FieldError, forbidden, invalid, notSupported, Path, required, specPath } from '../field.ts'
import { validateEnum, validateImmutable, validateLabelSelector } from '../metadata.ts'
import { dns1035Label, isDns1123Subdomain, isPortName, isPortNumber, isWildcardDns1123Subdomain } from '../names.ts'

/** pkg/apis/networking/validation. */
export const ingressRules: Partial<Definition<Ingress>> = {
  validate({ spec }) {
    if (!spec?.rules?.length && !spec?.defaultBackend) {
      const nothing = invalid(specPath, spec?.rules ?? null, 'either `defaultBackend` or `rules` must be specified')
      return [nothing, ...validateClassName(spec?.ingressClassName)]
    }
    const errors = spec.defaultBackend ? validateBackend(spec.defaultBackend, specPath.child('defaultBackend')) : []
    for (const [index, rule] of (spec.rules ?? []).entries()) {
      const at = specPath.child('rules').index(index)
      if (rule.host) {
        if (isIP(rule.host)) errors.push(invalid(at.child('host'), rule.host, 'must be a DNS name, not an IP address'))
        else {
          const check = rule.host.includes('*') ? isWildcardDns1123Subdomain : isDns1123Subdomain
          errors.push(...check(rule.host).map((text) => invalid(at.child('host'), rule.host, text)))
        }
      }
      if (rule.http && !rule.http.paths?.length) errors.push(required(at.child('http', 'paths')))
      for (const [position, path] of (rule.http?.paths ?? []).entries()) {
        const place = at.child('http', 'paths').index(position)
        const types = ['Exact', 'ImplementationSpecific', 'Prefix']
        if (!path.pathType) {
          errors.push(required(place.child('pathType'), 'pathType must be specified'))
          continue
        }
        if (!types.includes(path.pathType)) errors.push(notSupported(place.child('pathType'), path.pathType, types))
        else if ((path.pathType !== 'ImplementationSpecific' || path.path) && !path.path?.startsWith('/')) {
          errors.push(invalid(place.child('path'), path.path ?? '', 'must be an absolute path'))
        }
        errors.push(...validateBackend(path.backend, place.child('backend')))
      }
    }
    return [...errors, ...validateClassName(spec.ingressClassName)]
  },
}

function validateClassName(name: string | undefined): FieldError[] {
  return name === undefined ? [] : isDns1123Subdomain(name).map((text) => invalid(specPath.child('ingressClassName'), name, text))
}

export const ingressClassRules: Partial<Definition<IngressClass>> = {
  default({ spec }) {
    if (spec?.parameters) spec.parameters.scope ??= 'Cluster'
  },
  validateChange: ({ spec }, old) => validateImmutable(spec?.controller, old.spec?.controller, specPath.child('controller')),
}

export const networkPolicyRules: Partial<Definition<NetworkPolicy>> = {
  default({ spec }) {
    if (!spec) return
    if (!spec.policyTypes?.length) spec.policyTypes = ['Ingress', ...(spec.egress?.length ? ['Egress'] : [])]
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) for (const port of rule.ports ?? []) port.protocol ??= 'TCP'
  },
  validate({ spec }) {
    if (!spec) return []
    const errors = validateLabelSelector(spec.podSelector, specPath.child('podSelector'))
    const rules = [
      ...(spec.ingress ?? []).map((rule, index) => ({
        peers: rule.from,
        ports: rule.ports,
        at: specPath.child('ingress').index(index),
        side: 'from',
      })),
      ...(spec.egress ?? []).map((rule, index) => ({
        peers: rule.to,
        ports: rule.ports,
        at: specPath.child('egress').index(index),
        side: 'to',
      })),
    ]
    for (const { peers, ports, at, side } of rules) {
      for (const [index, port] of (ports ?? []).entries()) errors.push(...validatePolicyPort(port, at.child('ports').index(index)))
      for (const [index, peer] of (peers ?? []).entries()) errors.push(...validatePeer(peer, at.child(side).index(index)))
    }
    if ((spec.policyTypes?.length ?? 0) > 2) {
      return [...errors, invalid(specPath.child('policyTypes'), spec.policyTypes, 'may not specify more than two policyTypes')]
    }
    for (const [index, type] of (spec.policyTypes ?? []).entries()) {
      errors.push(...validateEnum(type, ['Ingress', 'Egress'], specPath.child('policyTypes').index(index)))
    }
    return errors
  },
}

export const endpointSliceRules: Partial<Definition<EndpointSlice>> = {
  default({ ports }) {
    for (const port of ports ?? []) {
      port.name ??= ''
      port.protocol ??= 'TCP'
    }
  },
  validate({ addressType }) {
    if (!addressType) return [required(new Path('addressType'))]
    return validateEnum(addressType, ['FQDN', 'IPv4', 'IPv6'], new Path('addressType'))
  },
  validateChange: ({ addressType }, old) => validateImmutable(addressType, old.addressType, new Path('addressType')),
}

function validateBackend(backend: IngressBackend | undefined, path: Path): FieldError[] {
  const { service, resource } = backend ?? {}
  if (service && resource) return [invalid(path, '', 'cannot set both resource and service backends')]
  if (!service && !resource) return [invalid(path, '', 'resource or service backend is required')]
  if (!service) return []
  const errors: FieldError[] = []
  const at = path.child('service')
  if (!service.name) errors.push(required(at.child('name')))
  else errors.push(...dns1035Label(service.name).map((text) => invalid(at.child('name'), service.name, text)))
  const { name, number } = service.port ?? {}
  if (name && number) errors.push(invalid(path, '', 'cannot set both port name & port number'))
  else if (name) errors.push(...isPortName(name).map((text) => invalid(at.child('port', 'name'), name, text)))
  else if (number) errors.push(...isPortNumber(number).map((text) => invalid(at.child('port', 'number'), number, text)))
  else errors.push(required(path, 'port name or number is required'))
  return errors
}

function validatePolicyPort({ protocol, port, endPort }: NetworkPolicyPort, path: Path): FieldError[] {
  const errors = validateEnum(protocol, ['TCP', 'UDP', 'SCTP'], path.child('protocol'))
  if (port !== undefined) errors.push(...validatePort(port, path.child('port')))
  if (endPort === undefined) return errors
  if (port === undefined) errors.push(required(path.child('port'), 'must be specified when `endPort` is specified'))
  else if (typeof port === 'string') errors.push(invalid(path.child('endPort'), endPort, 'may not be specified when `port` is non-numeric'))
  else if (endPort < port) errors.push(invalid(path.child('endPort'), port, 'must be greater than or equal to `port`'))
  return errors
}

function validatePeer(peer: NetworkPolicyPeer, path: Path): FieldError[] {
  const errors = [
    ...validateLabelSelector(peer.podSelector, path.child('podSelector')),
    ...validateLabelSelector(peer.namespaceSelector, path.child('namespaceSelector')),
  ]
  if (!peer.podSelector && !peer.namespaceSelector && !peer.ipBlock) errors.push(required(path, 'must specify a peer'))
  if (peer.ipBlock && (peer.podSelector || peer.namespaceSelector)) {
    errors.push(forbidden(path, 'may not specify both ipBlock and another peer'))
  }
  if (peer.ipBlock) {
    const at = path.child('ipBlock', 'cidr')
    const { cidr } = peer.ipBlock
    if (!cidr) errors.push(required(at))
    else if (!isCidr(cidr)) errors.push(invalid(at, cidr, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'))
  }
  return errors
}

function isCidr(text: string): boolean {
  const [address = '', length = ''] = text.split('/')
  const version = isIP(address)
  return version !== 0 && /^\d+$/.test(length) && Number(length) <= (version === 4 ? 32 : 128)
}
