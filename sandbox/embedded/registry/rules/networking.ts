import { isIP } from 'node:net'
import type {
  Ingress,
  IngressBackend,
  IngressClass,
  IngressClassParametersReference,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '../../schema/types/networking.v1.ts'
import { cidrErrors, isCidr, isWithin } from '../addresses.ts'
import type { Definition } from '../define.ts'
import { type FieldError, forbidden, invalid, notSupported, type Path, required, specPath, tooLong } from '../field.ts'
import { validateEnum, validateImmutable, validateLabelSelector, validateSubdomain } from '../metadata.ts'
import {
  dns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isPortName,
  isPortNumber,
  isWildcardDns1123Subdomain,
  pathSegment,
} from '../names.ts'
import { validatePort } from '../probe-validation.ts'
import { validateIngressStatus } from './balancer-status.ts'

/** pkg/apis/networking/validation. */
export const ingressRules: Partial<Definition<Ingress>> = {
  validateStatus: validateIngressStatus,
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
        if (path.pathType === undefined || path.pathType === null) {
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
    for (const [index, { hosts, secretName }] of (spec.tls ?? []).entries()) {
      const at = specPath.child('tls').index(index)
      for (const [position, host] of (hosts ?? []).entries()) {
        const check = host.includes('*') ? isWildcardDns1123Subdomain : isDns1123Subdomain
        errors.push(...check(host).map((text) => invalid(at.child('hosts').index(position), host, text)))
      }
      if (secretName) errors.push(...validateSubdomain(secretName, at.child('secretName')))
    }
    return [...errors, ...validateClassName(spec.ingressClassName)]
  },
}

function validateClassName(name: string | undefined): FieldError[] {
  return name === undefined ? [] : validateSubdomain(name, specPath.child('ingressClassName'))
}

export const ingressClassRules: Partial<Definition<IngressClass>> = {
  default({ spec }) {
    if (spec?.parameters) spec.parameters.scope ??= 'Cluster'
  },
  validate({ spec }) {
    const controller = spec?.controller ?? ''
    const at = specPath.child('controller')
    const long = controller.length > longestController ? [tooLong(at, longestController)] : []
    return [
      ...long,
      ...domainPrefixedPath(controller, at),
      ...(spec?.parameters ? parametersErrors(spec.parameters, specPath.child('parameters')) : []),
    ]
  },
  validateChange: ({ spec }, old) => validateImmutable(spec?.controller ?? '', old.spec?.controller ?? '', specPath.child('controller')),
}

const longestController = 250
const httpPath = `[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+`

function domainPrefixedPath(text: string, path: Path): FieldError[] {
  if (text === '') return [required(path)]
  const slash = text.indexOf('/')
  const [host, rest] = [text.slice(0, slash), text.slice(slash + 1)]
  if (slash < 1 || rest === '') return [invalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")')]
  return [
    ...validateSubdomain(host, path),
    ...(new RegExp(`^${httpPath}$`).test(rest) ? [] : [invalid(path, rest, `Invalid path (regex used for validation is '${httpPath}')`)]),
  ]
}

function parametersErrors(parameters: IngressClassParametersReference, path: Path): FieldError[] {
  const { scope = '', namespace } = parameters
  const errors = referenceErrors(parameters, path)
  if (scope !== 'Cluster' && scope !== 'Namespace') return [...errors, notSupported(path.child('scope'), scope, ['Cluster', 'Namespace'])]
  const at = path.child('namespace')
  if (scope === 'Cluster') return namespace === undefined ? errors : [...errors, forbidden(at, "`parameters.scope` is set to 'Cluster'")]
  if (namespace === undefined) return [...errors, required(at, "`parameters.scope` is set to 'Namespace'")]
  return [...errors, ...isDns1123Label(namespace).map((text) => invalid(at, namespace, text))]
}

type Reference = Pick<IngressClassParametersReference, 'apiGroup' | 'kind' | 'name'>

/** A reference to an object of any kind. */
function referenceErrors({ apiGroup, kind, name }: Reference, path: Path): FieldError[] {
  const segment = (value: string, at: Path) => (value ? pathSegment(value).map((text) => invalid(at, value, text)) : [required(at)])
  return [
    ...(apiGroup === undefined || apiGroup === null ? [] : validateSubdomain(apiGroup, path.child('apiGroup'))),
    ...segment(kind, path.child('kind')),
    ...segment(name, path.child('name')),
  ]
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

function validateBackend(backend: IngressBackend | undefined, path: Path): FieldError[] {
  const { service, resource } = backend ?? {}
  if (service && resource) return [invalid(path, '', 'cannot set both resource and service backends')]
  if (!service && !resource) return [invalid(path, '', 'resource or service backend is required')]
  if (resource) return referenceErrors(resource, path.child('resource'))
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
  const at = path.child('endPort')
  if (port === undefined) return [...errors, invalid(at, endPort, 'may not be specified when `port` is not specified')]
  if (typeof port === 'string') return [...errors, invalid(at, endPort, 'may not be specified when `port` is non-numeric')]
  if (endPort < port) errors.push(invalid(at, port, 'must be greater than or equal to `port`'))
  return [...errors, ...isPortNumber(endPort).map((text) => invalid(at, endPort, text))]
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
    const { cidr, except } = peer.ipBlock
    if (!cidr) return [...errors, required(at)]
    errors.push(...cidrErrors(cidr, at))
    if (!isCidr(cidr)) return errors
    for (const [index, part] of (except ?? []).entries()) {
      const place = path.child('ipBlock', 'except').index(index)
      errors.push(...cidrErrors(part, place))
      if (isCidr(part) && !isWithin(part, cidr)) errors.push(invalid(place, part, 'must be a strict subset of `cidr`'))
    }
  }
  return errors
}
