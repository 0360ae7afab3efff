import { createHash } from 'node:crypto'
import { type Docker, DockerError } from './docker.ts'
import { bridgePrefix } from './toolbox/walls.ts'

/** One cluster's piece of the address range: 16 addresses; the first is the gateway's, then nodes, the upper half is Docker's to give. */
export interface Subnet {
  cidr: string
  gateway: string
  /** Of the node with this index. */
  addressOf(index: number): string
}

const size = 16

/**
 * A Docker network of a cluster's own in a free piece of `range` ('10.201.0.0/16'). Docker lets no packet from one such
 * network to another, and its bridge's name puts it behind the walls. Rejects when no piece is free.
 */
export async function createNetwork(
  docker: Docker,
  options: { name: string; range: string; labels: Readonly<Record<string, string>>; signal?: AbortSignal },
): Promise<Subnet> {
  const { first, count } = piecesOf(options.range)
  const start = Math.floor(Math.random() * count)
  for (let step = 0; step < Math.min(count, 64); step++) {
    const subnet = subnetAt(first + ((start + step) % count) * size)
    try {
      await docker.call(
        [
          'network',
          'create',
          '--driver=bridge',
          `--subnet=${subnet.cidr}`,
          `--gateway=${subnet.gateway}`,
          `--ip-range=${subnet.dynamic}`,
          `--opt=com.docker.network.bridge.name=${bridgeOf(options.name)}`,
          ...Object.entries(options.labels).map(([name, value]) => `--label=${name}=${value}`),
          options.name,
        ],
        options.signal ? { signal: options.signal } : {},
      )
      return subnet
    } catch (error) {
      if (!(error instanceof DockerError) || !/overlaps|already used|already in use/i.test(error.stderr)) throw error
    }
  }
  throw new Error(`No free addresses for another cluster in ${options.range}; set KIND_SUBNETS to a larger range`)
}

/** By its bridge a network stands behind the walls (toolbox/walls.ts). Fifteen characters are all that Linux allows. */
function bridgeOf(network: string): string {
  return `${bridgePrefix}-${createHash('sha256').update(network).digest('hex').slice(0, 8)}`
}

/** The subnet with this CIDR, as createNetwork gave it. */
export function subnetOf(cidr: string): Subnet {
  return subnetAt(toNumber(cidr.split('/')[0] ?? ''))
}

function subnetAt(base: number): Subnet & { dynamic: string } {
  return {
    cidr: `${toText(base)}/28`,
    gateway: toText(base + 1),
    dynamic: `${toText(base + size / 2)}/29`,
    addressOf: (index) => toText(base + 2 + index),
  }
}

function piecesOf(range: string): { first: number; count: number } {
  const [address = '', bits = ''] = range.split('/')
  const first = toNumber(address)
  const count = 2 ** (32 - Number(bits)) / size
  if (!Number.isInteger(count) || count < 1 || first % size !== 0) throw new Error(`Not a range of addresses for clusters: ${range}`)
  return { first, count }
}

function toNumber(address: string): number {
  const parts = address.split('.').map(Number)
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255))
    throw new Error(`Not an IPv4 address: ${address}`)
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
}
