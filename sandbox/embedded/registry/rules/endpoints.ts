import { isIPv4, isIPv6 } from 'node:net'
import type { EndpointAddress, EndpointPort, Endpoints } from '../../schema/types/core.v1.ts'
import type { Endpoint, EndpointHints, EndpointSlice } from '../../schema/types/discovery.v1.ts'
import { endpointAddressErrors, ipErrors } from '../addresses.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, invalid, Path, required, tooMany } from '../field.ts'
import { validateEnum, validateImmutable, validateLabels } from '../metadata.ts'
import { isDns1123Label, isDns1123Subdomain, isLabelValue, isPortNumber, type NameRule } from '../names.ts'
import { qualified } from '../pod-placement.ts'

/** pkg/apis/core: defaults and validation of Endpoints. */
export const endpointsRules: Partial<Definition<Endpoints>> = {
  default({ subsets }) {
    for (const subset of subsets ?? []) for (const port of subset.ports ?? []) port.protocol ??= 'TCP'
  },
  validate: ({ subsets }) =>
    (subsets ?? []).flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, index) => {
      const at = new Path('subsets').index(index)
      const none = addresses.length + notReadyAddresses.length === 0
      return [
        ...(none ? [required(at, 'must specify `addresses` or `notReadyAddresses`')] : []),
        ...addresses.flatMap((address, place) => addressErrors(address, at.child('addresses').index(place))),
        ...notReadyAddresses.flatMap((address, place) => addressErrors(address, at.child('notReadyAddresses').index(place))),
        ...ports.flatMap((port, place) => portErrors(port, ports.length > 1, at.child('ports').index(place))),
      ]
    }),
}

const protocols = ['SCTP', 'TCP', 'UDP']

function addressErrors({ ip = '', hostname, nodeName }: EndpointAddress, path: Path): FieldError[] {
  return [
    ...ipErrors(ip, path.child('ip')),
    ...(hostname ? named(isDns1123Label, hostname, path.child('hostname')) : []),
    ...(nodeName === undefined ? [] : named(isDns1123Subdomain, nodeName, path.child('nodeName'))),
    ...endpointAddressErrors(ip, path.child('ip')),
  ]
}

function portErrors({ name, port = 0, protocol, appProtocol }: EndpointPort, needsName: boolean, path: Path): FieldError[] {
  return [
    ...(name ? named(isDns1123Label, name, path.child('name')) : needsName ? [required(path.child('name'))] : []),
    ...isPortNumber(port).map((text) => invalid(path.child('port'), port, text)),
    ...(protocol ? validateEnum(protocol, protocols, path.child('protocol')) : [required(path.child('protocol'))]),
    ...(appProtocol === undefined ? [] : qualified(appProtocol, path.child('appProtocol'))),
  ]
}

const most = { endpoints: 1000, ports: 20_000, addresses: 100, topology: 16, hints: 8 }

/** pkg/apis/discovery: defaults, strategy and validation. */
export const endpointSliceRules: Partial<Definition<EndpointSlice>> = {
  default({ ports }) {
    for (const port of ports ?? []) {
      port.name ??= ''
      port.protocol ??= 'TCP'
    }
  },
  prepareForCreate({ endpoints }) {
    // what other versions had it for has a field of its own
    for (const endpoint of endpoints ?? []) delete endpoint.deprecatedTopology
  },
  validate({ addressType, endpoints, ports }) {
    const typePath = new Path('addressType')
    return [
      ...(addressType ? validateEnum(addressType, ['FQDN', 'IPv4', 'IPv6'], typePath) : [required(typePath)]),
      ...slicePortErrors(ports ?? [], new Path('ports')),
      ...endpointErrors(endpoints ?? [], addressType ?? '', new Path('endpoints')),
    ]
  },
  validateChange: ({ addressType }, old) => validateImmutable(addressType, old.addressType, new Path('addressType')),
}

function slicePortErrors(ports: NonNullable<EndpointSlice['ports']>, path: Path): FieldError[] {
  if (ports.length > most.ports) return [tooMany(path, ports.length, most.ports)]
  return ports.flatMap(({ name = '', protocol, appProtocol }, index) => {
    const at = path.index(index)
    return [
      ...(name ? named(isDns1123Label, name, at.child('name')) : []),
      ...(ports.findIndex((other) => (other.name ?? '') === name) < index ? [duplicate(at.child('name'), name)] : []),
      ...validateEnum(protocol, protocols, at.child('protocol')),
      ...(appProtocol === undefined ? [] : qualified(appProtocol, at.child('appProtocol'))),
    ]
  })
}

function endpointErrors(endpoints: readonly Endpoint[], addressType: string, path: Path): FieldError[] {
  if (endpoints.length > most.endpoints) return [tooMany(path, endpoints.length, most.endpoints)]
  return endpoints.flatMap(({ addresses, nodeName, hostname, deprecatedTopology, hints }, index) => {
    const at = path.index(index)
    const place = at.child('addresses')
    const given = addresses ?? []
    const topology = Object.keys(deprecatedTopology ?? {}).length
    return [
      ...(given.length > 0 ? [] : [required(place, 'must contain at least 1 address')]),
      ...(given.length > most.addresses ? [tooMany(place, given.length, most.addresses)] : []),
      ...given.flatMap((address, position) => sliceAddressErrors(address, addressType, place, position)),
      ...(nodeName === undefined ? [] : named(isDns1123Subdomain, nodeName, at.child('nodeName'))),
      ...(topology > most.topology ? [tooMany(at.child('deprecatedTopology'), topology, most.topology)] : []),
      ...validateLabels(deprecatedTopology, at.child('deprecatedTopology')),
      ...(hostname === undefined ? [] : named(isDns1123Label, hostname, at.child('hostname'))),
      ...(hints ? hintErrors(hints, at.child('hints')) : []),
    ]
  })
}

function sliceAddressErrors(address: string, type: string, path: Path, position: number): FieldError[] {
  const at = path.index(position)
  if (type === 'FQDN') {
    const domain = named(isDns1123Subdomain, address, at)
    if (domain.length > 0 || address.includes('.')) return domain
    return [invalid(at, address, 'should be a domain with at least two segments separated by dots')]
  }
  if (type !== 'IPv4' && type !== 'IPv6') return []
  const errors = ipErrors(address, at)
  if (errors.length > 0) return errors
  const fits = type === 'IPv4' ? isIPv4(address) : isIPv6(address)
  return [...(fits ? [] : [invalid(path, address, `must be an ${type} address`)]), ...endpointAddressErrors(address, at)]
}

function hintErrors({ forZones = [], forNodes = [] }: EndpointHints, path: Path): FieldError[] {
  return [
    ...hintedNames(forZones, path.child('forZones'), isLabelValue),
    ...(forZones.length > most.hints ? [] : hintedNames(forNodes, path.child('forNodes'), isDns1123Subdomain)),
  ]
}

function hintedNames(hints: readonly { name: string }[], path: Path, check: NameRule): FieldError[] {
  if (hints.length > most.hints) return [tooMany(path, hints.length, most.hints)]
  return hints.flatMap(({ name = '' }, index) => {
    const at = path.index(index).child('name')
    const repeated = hints.findIndex((other) => (other.name ?? '') === name) < index
    return [...(repeated ? [duplicate(at, name)] : []), ...named(check, name, at)]
  })
}

function named(check: NameRule, name: string, path: Path): FieldError[] {
  return check(name).map((text) => invalid(path, name, text))
}
