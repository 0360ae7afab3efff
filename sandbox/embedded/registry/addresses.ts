import { BlockList, isIP } from 'node:net'
import { type FieldError, invalid, type Path } from './field.ts'

/** An address as fields take it that are older than the strict rules (IsValidIPForLegacyField). */
export function ipErrors(address: string, path: Path): FieldError[] {
  return isIP(address) ? [] : [invalid(path, address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]
}

/** The same of a block of addresses. */
export function cidrErrors(cidr: string, path: Path): FieldError[] {
  return isCidr(cidr) ? [] : [invalid(path, cidr, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')]
}

export function isCidr(text: string): boolean {
  const [address = '', length = '', ...rest] = text.split('/')
  const version = isIP(address)
  return version !== 0 && rest.length === 0 && /^\d+$/.test(length) && Number(length) <= (version === 4 ? 32 : 128)
}

/** Whether a block is a true part of another. */
export function isWithin(part: string, whole: string): boolean {
  const [base = '', length] = whole.split('/')
  const [inner = '', innerLength] = part.split('/')
  const [family, innerFamily] = [isIP(base) === 4 ? 'ipv4' : 'ipv6', isIP(inner) === 4 ? 'ipv4' : 'ipv6'] as const
  if (Number(length) >= Number(innerLength) || family !== innerFamily) return false
  const block = new BlockList()
  block.addSubnet(base, Number(length), family)
  return block.check(inner, innerFamily)
}

/** Where endpoints can't be (ValidateEndpointIP). */
export function endpointAddressErrors(address: string, path: Path): FieldError[] {
  const version = isIP(address)
  if (version === 0) return [invalid(path, address, 'must be a valid IP address')]
  const say = (text: string) => [invalid(path, address, text)]
  const inBlock = (block: BlockList) => block.check(address, version === 4 ? 'ipv4' : 'ipv6')
  if (inBlock(unspecified)) return say(`may not be unspecified (${address})`)
  if (inBlock(loopback)) return say('may not be in the loopback range (127.0.0.0/8, ::1/128)')
  if (inBlock(linkLocal)) return say('may not be in the link-local range (169.254.0.0/16, fe80::/10)')
  return inBlock(linkLocalMulticast) ? say('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)') : []
}

const unspecified = blocks('0.0.0.0/32', '::/128')
const loopback = blocks('127.0.0.0/8', '::1/128')
const linkLocal = blocks('169.254.0.0/16', 'fe80::/10')
const linkLocalMulticast = blocks('224.0.0.0/24', 'ff02::/16')

function blocks(...cidrs: string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [base = '', length] = cidr.split('/')
    list.addSubnet(base, Number(length), isIP(base) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
