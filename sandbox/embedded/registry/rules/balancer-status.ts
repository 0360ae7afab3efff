import { isIP } from 'node:net'
import type { Service } from '../../schema/types/core.v1.ts'
import type { Ingress } from '../../schema/types/networking.v1.ts'
import { ipErrors } from '../addresses.ts'
import { type FieldError, forbidden, invalid, notSupported, Path, required } from '../field.ts'
import { validateSubdomain } from '../metadata.ts'

const path = new Path('status').child('loadBalancer', 'ingress')

type Place = { ip?: string; hostname?: string }

/** Source: ValidateLoadBalancerStatus in pkg/apis/core/validation. */
export function validateServiceStatus({ spec, status }: Service, old: Service): FieldError[] {
  const places = status?.loadBalancer?.ingress ?? []
  if (spec?.type !== 'LoadBalancer' && places.length > 0) {
    return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
  }
  const modes = places.flatMap(({ ip, ipMode }, index) => {
    const at = path.index(index).child('ipMode')
    if (ipMode === undefined) return ip ? [required(at, 'must be specified when `ip` is set')] : []
    if (!ip) return [forbidden(at, 'may not be specified when `ip` is not set')]
    return ipMode === 'VIP' || ipMode === 'Proxy' ? [] : [notSupported(at, ipMode, ['Proxy', 'VIP'])]
  })
  return [...placeErrors(places, old.status?.loadBalancer?.ingress ?? []), ...modes]
}

/** Source: ValidateIngressLoadBalancerStatus in pkg/apis/networking/validation. */
export function validateIngressStatus({ status }: Ingress, old: Ingress): FieldError[] {
  return placeErrors(status?.loadBalancer?.ingress ?? [], old.status?.loadBalancer?.ingress ?? [])
}

function placeErrors(places: readonly Place[], before: readonly Place[]): FieldError[] {
  const known = new Set(before.map(({ ip }) => ip))
  return places.flatMap(({ ip, hostname }, index) => {
    const at = path.index(index)
    return [
      ...(ip && !known.has(ip) ? ipErrors(ip, at.child('ip')) : []),
      ...(hostname ? validateSubdomain(hostname, at.child('hostname')) : []),
      ...(hostname && isIP(hostname) !== 0 ? [invalid(at.child('hostname'), hostname, 'must be a DNS name, not an IP address')] : []),
    ]
  })
}
