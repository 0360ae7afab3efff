/** An IPv4 address as a number, or undefined when the text is none. */
export function parseIPv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!match) return undefined
  let value = 0
  for (const part of match.slice(1)) {
    if (Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

export function formatIPv4(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.')
}

/** Whether an address lies in a block such as 10.244.0.0/24. */
export function inCIDR(ip: string, cidr: string): boolean {
  const [base = '', bits = '32'] = cidr.split('/')
  const address = parseIPv4(ip)
  const start = parseIPv4(base)
  if (address === undefined || start === undefined) return false
  const size = 2 ** (32 - Number(bits))
  return Math.floor(address / size) === Math.floor(start / size)
}

/** The nth address of a block: 1 is the gateway of a node's pods. */
export function addressIn(cidr: string, n: number): string {
  return formatIPv4((parseIPv4(cidr.split('/')[0] ?? '') ?? 0) + n)
}

/** How many addresses a block has. */
export function sizeOf(cidr: string): number {
  return 2 ** (32 - Number(cidr.split('/')[1] ?? 32))
}
