import { isIP } from 'node:net'
import type { IPAddress, ServiceCIDR } from '../../schema/types/networking.v1.ts'
import type { Definition } from '../define.ts'
import { type FieldError, invalid, type Path, required, specPath } from '../field.ts'
import { validateImmutable, validateSubdomain } from '../metadata.ts'
import { type NameRule, pathSegment } from '../names.ts'

/** An object that is called by an IP address, in its one proper form. */
const addressName: NameRule = (name) => {
  if (isIP(name) === 0) return ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']
  const canonical = canonicalIP(name)
  return canonical === name ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`]
}

/** pkg/apis/networking/validation: IPAddress. */
export const ipAddressRules: Partial<Definition<IPAddress>> = {
  name: addressName,
  validate({ spec }) {
    const parent = spec?.parentRef
    const at = specPath.child('parentRef')
    if (!parent) return [required(at)]
    const errors = parent.group ? validateSubdomain(parent.group, at.child('group')) : []
    for (const field of ['resource', 'name'] as const) {
      if (!parent[field]) errors.push(required(at.child(field)))
      else errors.push(...pathSegment(parent[field]).map((text) => invalid(at.child(field), parent[field], text)))
    }
    const { namespace } = parent
    if (namespace) errors.push(...pathSegment(namespace).map((text) => invalid(at.child('namespace'), namespace, text)))
    return errors
  },
  validateChange: ({ spec }, old) =>
    validateImmutable(spec?.parentRef, old.spec?.parentRef, specPath.child('parentRef'), 'networking.v1.ParentReference'),
}

const cidrsPath = specPath.child('cidrs')
const immutable = 'field is immutable'

/** pkg/apis/networking/validation: ServiceCIDR. */
export const serviceCIDRRules: Partial<Definition<ServiceCIDR>> = {
  validate: ({ spec }) => validateCIDRs(spec?.cidrs ?? []),
  validateUpdate({ spec }, old) {
    const now = spec?.cidrs ?? []
    const before = old.spec?.cidrs ?? []
    const changed = before.flatMap((cidr, index) => (now[index] === cidr ? [] : [invalid(cidrsPath.index(index), now[index], immutable)]))
    if (now.length === before.length) return changed
    // A second family may be added.
    if (before.length === 1 && now.length === 2) return [...changed, ...validateCIDRs(now)]
    return [invalid(cidrsPath, spec?.cidrs, immutable)]
  },
}

function validateCIDRs(cidrs: readonly string[]): FieldError[] {
  if (cidrs.length === 0) return [required(cidrsPath, 'at least one CIDR required')]
  if (cidrs.length > 2) return [invalid(cidrsPath, cidrs, 'may only hold up to 2 values')]
  const errors = cidrs.flatMap((cidr, index) => validateCIDR(cidr, cidrsPath.index(index)))
  const families = new Set(cidrs.map((cidr) => isIP(cidr.split('/')[0] ?? '')))
  if (cidrs.length === 2 && families.size === 1 && !families.has(0)) {
    errors.push(invalid(cidrsPath, cidrs, 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64'))
  }
  return errors
}

function validateCIDR(cidr: string, path: Path): FieldError[] {
  const [base = '', bits = '', ...rest] = cidr.split('/')
  const family = isIP(base)
  const length = Number(bits)
  if (family === 0 || !/^\d+$/.test(bits) || rest.length > 0 || length > (family === 4 ? 32 : 128)) {
    return [invalid(path, cidr, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')]
  }
  if (family === 4 && networkOf(base, length) !== base) return [invalid(path, cidr, 'must not have bits set beyond the prefix length')]
  const canonical = `${canonicalIP(base)}/${length}`
  return canonical === cidr ? [] : [invalid(path, cidr, `must be in canonical form (${JSON.stringify(canonical)})`)]
}

function networkOf(address: string, bits: number): string {
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const size = 2 ** (32 - bits)
  const start = Math.floor(number / size) * size
  return [24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join('.')
}

/** RFC 5952: lower case, without leading zeros, the longest run of zeros as `::`. */
function canonicalIP(address: string): string {
  return isIP(address) === 4 ? address : new URL(`http://[${address}]/`).hostname.slice(1, -1)
}
