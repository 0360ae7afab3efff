import type { Store } from '../machinery/store.ts'
import { AllocationError, type Allocator } from '../registry/resource-info.ts'
import type { Service } from '../schema/types/core.v1.ts'

/** The range of Service addresses and that of node ports, as kubeadm sets them up. */
const serviceBase = 0x0a600000
const serviceMask = 16
const firstNodePort = 30_000
const lastNodePort = 32_767

/**
 * Gives out what Services hold. What is in the store is taken, and what a request in flight was given, until it is done.
 */
export class ServiceAllocator {
  private readonly store: Store
  private readonly random: () => number
  private readonly promisedAddresses = new Set<string>()
  private readonly promisedPorts = new Set<number>()

  constructor(store: Store, random: () => number) {
    this.store = store
    this.random = random
  }

  /** An allocator for one request; what it gave is free again when it is disposed, unless it was stored meanwhile. */
  begin(): Allocator & Disposable {
    const addresses: string[] = []
    const ports: number[] = []
    return {
      clusterIP: (wanted) => {
        const address = this.address(wanted)
        this.promisedAddresses.add(address)
        addresses.push(address)
        return address
      },
      nodePort: (wanted) => {
        const port = this.port(wanted)
        this.promisedPorts.add(port)
        ports.push(port)
        return port
      },
      [Symbol.dispose]: () => {
        for (const address of addresses) this.promisedAddresses.delete(address)
        for (const port of ports) this.promisedPorts.delete(port)
      },
    }
  }

  private address(wanted: string | undefined): string {
    const taken = new Set(this.services().flatMap((service) => service.spec?.clusterIPs ?? service.spec?.clusterIP ?? []))
    const free = (address: string) => !taken.has(address) && !this.promisedAddresses.has(address)
    if (wanted !== undefined) {
      if (!inServiceRange(wanted))
        throw new AllocationError(`the provided IP (${wanted}) is not in the valid range. The range of valid IPs is 10.96.0.0/16`)
      if (!free(wanted)) throw new AllocationError('provided IP is already allocated')
      return wanted
    }
    // The first addresses of the range are for those who ask for one by name, as upstream keeps them.
    const size = 2 ** (32 - serviceMask)
    const reserved = 256
    const start = Math.floor(this.random() * (size - reserved - 2))
    for (let step = 0; step < size - reserved - 2; step++) {
      const address = dotted(serviceBase + reserved + 1 + ((start + step) % (size - reserved - 2)))
      if (free(address)) return address
    }
    throw new AllocationError('range is full')
  }

  private port(wanted: number | undefined): number {
    const taken = new Set(
      this.services().flatMap((service) => [
        ...(service.spec?.ports ?? []).map((port) => port.nodePort),
        service.spec?.healthCheckNodePort,
      ]),
    )
    const free = (port: number) => !taken.has(port) && !this.promisedPorts.has(port)
    if (wanted !== undefined) {
      if (wanted < firstNodePort || wanted > lastNodePort) {
        throw new AllocationError(`provided port is not in the valid range. The range of valid ports is ${firstNodePort}-${lastNodePort}`)
      }
      if (!free(wanted)) throw new AllocationError('provided port is already allocated')
      return wanted
    }
    const size = lastNodePort - firstNodePort + 1
    const start = Math.floor(this.random() * size)
    for (let step = 0; step < size; step++) {
      const port = firstNodePort + ((start + step) % size)
      if (free(port)) return port
    }
    throw new AllocationError('range is full')
  }

  private services(): Service[] {
    return this.store.list('services') as Service[]
  }
}

function inServiceRange(address: string): boolean {
  const parts = address.split('.').map(Number)
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return false
  const number = parts.reduce((sum, part) => sum * 256 + part, 0)
  return number > serviceBase && number < serviceBase + 2 ** (32 - serviceMask) - 1
}

function dotted(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')
}
