import { remembering } from '../machinery/remembering.ts'

/** An IPv4 address as a number, or undefined when the text is none. */
export function parseIPv4(text: string): number | undefined {
  let value = 0
  let part = 0
  let digits = 0
  let dots = 0
  // Every packet of every connection asks, and for every route on its way.
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === dot) {
      if (digits === 0 || ++dots > 3) return undefined
      value = value * 256 + part
      part = 0
      digits = 0
    } else {
      if (code < zero || code > nine || ++digits > 3) return undefined
      part = part * 10 + code - zero
      if (part > 255) return undefined
    }
  }
  return dots === 3 && digits > 0 ? value * 256 + part : undefined
}

const [dot, zero, nine] = [46, 48, 57]

export function formatIPv4(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.')
}

/** Whether an address lies in a block such as 10.244.0.0/24. */
export function inCIDR(ip: string, cidr: string): boolean {
  return isIn(parseIPv4(ip), cidr)
}

/** The same of an address that was parsed; undefined is in none. */
export function isIn(address: number | undefined, cidr: string): boolean {
  const { start, size } = blockNamed(cidr)
  return address !== undefined && start !== undefined && Math.floor(address / size) === Math.floor(start / size)
}

interface Block {
  start: number | undefined
  size: number
}

/** Every route of a node is asked for every packet, in clusters of many nodes. */
const blockNamed = remembering(
  (cidr): Block => {
    const [first = '', bits = '32'] = cidr.split('/')
    return { start: parseIPv4(first), size: 2 ** (32 - Number(bits)) }
  },
  { most: 4096 },
)

/** The nth address of a block: 1 is the gateway of a node's pods. */
export function addressIn(cidr: string, n: number): string {
  return formatIPv4((parseIPv4(cidr.split('/')[0] ?? '') ?? 0) + n)
}

/** How many addresses a block has. */
export function sizeOf(cidr: string): number {
  return 2 ** (32 - Number(cidr.split('/')[1] ?? 32))
}
