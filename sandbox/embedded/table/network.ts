import type { Endpoints, Service } from '../schema/types/core.v1.ts'
import type { EndpointSlice } from '../schema/types/discovery.v1.ts'
import type { Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR } from '../schema/types/networking.v1.ts'
import { type Age, type CellsOf, labelsText, orNone, selectorText, upToThree } from './cell.ts'

export const networkCells: Record<string, CellsOf> = {
  'v1/services': ({ spec, metadata, status }: Service, age: Age) => [
    metadata.name ?? '',
    spec?.type ?? '',
    orNone(spec?.clusterIPs?.[0] ?? spec?.clusterIP),
    externalIp({ spec, metadata, status } as Service),
    orNone(
      (spec?.ports ?? [])
        .map(({ port, nodePort, protocol }) => (nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`))
        .join(','),
    ),
    age(metadata.creationTimestamp),
    labelsText(spec?.selector),
  ],
  'v1/endpoints': ({ subsets, metadata }: Endpoints, age: Age) => {
    const list = (subsets ?? []).flatMap(({ addresses = [], ports }) =>
      ports?.length ? ports.flatMap(({ port }) => addresses.map(({ ip }) => joined(ip, port))) : addresses.map(({ ip }) => ip),
    )
    return [metadata.name ?? '', subsets?.length ? upToThree(list) : '<none>', age(metadata.creationTimestamp)]
  },
  'discovery.k8s.io/v1/endpointslices': ({ metadata, addressType, ports, endpoints }: EndpointSlice, age: Age) => [
    metadata.name ?? '',
    addressType,
    ports?.length ? upToThree(ports.map(({ port, name }) => String(port ?? name ?? '*'))) : '<unset>',
    endpoints?.length ? upToThree(endpoints.flatMap(({ addresses }) => addresses ?? [])) : '<unset>',
    age(metadata.creationTimestamp),
  ],
  'networking.k8s.io/v1/ingresses': ({ spec, status, metadata }: Ingress, age: Age) => {
    const hosts = (spec?.rules ?? []).map(({ host }) => host ?? '')
    const shown = hosts.slice(0, 3).filter(Boolean).join(',')
    const addresses = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '')
    return [
      metadata.name ?? '',
      orNone(spec?.ingressClassName),
      !shown ? '*' : hosts.length > 3 ? `${shown} + ${hosts.length - 3} more...` : shown,
      addresses.join(','),
      spec?.tls?.length ? '80, 443' : '80',
      age(metadata.creationTimestamp),
    ]
  },
  'networking.k8s.io/v1/ingressclasses': ({ spec, metadata }: IngressClass, age: Age) => {
    const { kind, name, apiGroup } = spec?.parameters ?? {}
    const parameters = kind ? `${kind}${apiGroup ? `.${apiGroup}` : ''}/${name}` : '<none>'
    return [metadata.name ?? '', spec?.controller ?? '', parameters, age(metadata.creationTimestamp)]
  },
  'networking.k8s.io/v1/networkpolicies': ({ spec, metadata }: NetworkPolicy, age: Age) => [
    metadata.name ?? '',
    selectorText(spec?.podSelector),
    age(metadata.creationTimestamp),
  ],
  'networking.k8s.io/v1/ipaddresses': ({ spec, metadata }: IPAddress, age: Age) => {
    const { group, resource, namespace, name } = spec?.parentRef ?? { resource: '', name: '' }
    return [
      metadata.name ?? '',
      [`${resource}${group ? `.${group}` : ''}`, namespace, name].filter(Boolean).join('/'),
      age(metadata.creationTimestamp),
    ]
  },
  'networking.k8s.io/v1/servicecidrs': ({ spec, metadata }: ServiceCIDR, age: Age) => [
    metadata.name ?? '',
    (spec?.cidrs ?? []).join(','),
    age(metadata.creationTimestamp),
  ],
}

function externalIp({ spec, status }: Service): string {
  const external = spec?.externalIPs ?? []
  switch (spec?.type) {
    case 'ClusterIP':
    case 'NodePort':
      return orNone(external.join(','))
    case 'LoadBalancer': {
      const given = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '').filter(Boolean)
      return [...[...new Set(given)].sort(), ...external].join(',') || '<pending>'
    }
    case 'ExternalName':
      return spec.externalName ?? ''
    default:
      return '<unknown>'
  }
}

function joined(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}
