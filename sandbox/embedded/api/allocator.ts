import type { Store } from '../machinery/store.ts'
import { addressIn, inCIDR, sizeOf } from '../network/addresses.ts'
import { AllocationError, type Allocator } from '../registry/resource-info.ts'
import type { Service } from '../schema/types/core.v1.ts'
import type { ServiceCIDR } from '../schema/types/networking.v1.ts'

/** The range of node ports, as kubeadm sets it up. */
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
  begin(dryRun = false): Allocator & Disposable {
    const addresses: string[] = []
    const ports: number[] = []
    if (dryRun) {
      return {
        // nothing is searched for that nobody gets: the range's own address stands for any
        clusterIP: (wanted) => (wanted === undefined ? addressIn(this.ranges()[0] ?? '0.0.0.0/32', 0) : this.address(wanted)),
        nodePort: (wanted) => {
          const port = wanted ?? Math.max(...(ports.length > 0 ? ports : [lastNodePort + 1])) + 1
          if (wanted !== undefined && (ports.includes(wanted) || this.takenPorts().has(wanted))) throw new AllocationError(portTaken)
          ports.push(port)
          return port
        },
        [Symbol.dispose]: () => {},
      }
    }
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
    const ranges = this.ranges()
    if (wanted !== undefined) {
      if (!ranges.some((range) => inCIDR(wanted, range))) throw new AllocationError('the provided network does not match the current range')
      const within = ranges.some(
        (range) => inCIDR(wanted, range) && wanted !== addressIn(range, 0) && wanted !== addressIn(range, sizeOf(range) - 1),
      )
      if (!within) {
        throw new AllocationError(`the provided IP (${wanted}) is not in the valid range. The range of valid IPs is ${ranges.join(', ')}`)
      }
      if (!free(wanted)) throw new AllocationError('provided IP is already allocated')
      return wanted
    }
    for (const range of ranges) {
      // The first addresses of a range are for those who ask for one by name, as upstream keeps them.
      const last = sizeOf(range) - 2
      const first = reservedIn(range) + 1
      const start = Math.floor(this.random() * (last - first + 1))
      for (let step = 0; step <= last - first; step++) {
        const address = addressIn(range, first + ((start + step) % (last - first + 1)))
        if (free(address)) return address
      }
      for (let offset = 1; offset < first; offset++) if (free(addressIn(range, offset))) return addressIn(range, offset)
    }
    throw new AllocationError('range is full')
  }

  /** The IPv4 ranges of the ServiceCIDRs that are not on their way out. */
  private ranges(): string[] {
    const cidrs = this.store.list('servicecidrs.networking.k8s.io') as ServiceCIDR[]
    return cidrs
      .filter(({ metadata }) => !metadata.deletionTimestamp)
      .flatMap(({ spec }) => spec?.cidrs ?? [])
      .filter((cidr) => !cidr.includes(':'))
  }

  private takenPorts(): Set<number | undefined> {
    return new Set(
      this.services().flatMap((service) => [
        ...(service.spec?.ports ?? []).map((port) => port.nodePort),
        service.spec?.healthCheckNodePort,
      ]),
    )
  }

  private port(wanted: number | undefined): number {
    const taken = this.takenPorts()
    const free = (port: number) => !taken.has(port) && !this.promisedPorts.has(port)
    if (wanted !== undefined) {
      if (wanted < firstNodePort || wanted > lastNodePort) {
        throw new AllocationError(`provided port is not in the valid range. The range of valid ports is ${firstNodePort}-${lastNodePort}`)
      }
      if (!free(wanted)) throw new AllocationError(portTaken)
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

const portTaken = 'provided port is already allocated'

/** KEP-3070: min(max(16, size / 16), 256). */
function reservedIn(range: string): number {
  return sizeOf(range) < 16 ? 0 : Math.min(Math.max(16, Math.floor(sizeOf(range) / 16)), 256)
}
