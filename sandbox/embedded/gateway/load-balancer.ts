import type { ClusterContext } from '../machinery/context.ts'
import { isConflict, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import { inCIDR } from '../network/addresses.ts'
import type { Service } from '../schema/types/core.v1.ts'
import { loadBalancerClass } from './names.ts'

/** On the nodes' own network, above every node: kube-proxy on each node answers for them. */
const addresses = '172.18.255.0/24'

export function balancerAddress({ status }: Service): string | undefined {
  return status?.loadBalancer?.ingress?.[0]?.ip
}

/** Gives each Service of the gateway's load balancer class an address of its own, the lowest that is free. */
export async function assignAddresses(ctx: ClusterContext): Promise<void> {
  const services = ctx.cache.list<Service>(resources.services).filter(({ spec }) => spec?.type === 'LoadBalancer')
  const taken = new Set(services.map(balancerAddress))
  for (const service of services) {
    const current = balancerAddress(service)
    if (service.spec?.loadBalancerClass !== loadBalancerClass || (current && inCIDR(current, addresses))) continue
    const ip = free(taken)
    if (ip === undefined) continue
    taken.add(ip)
    const status = { ...service.status, loadBalancer: { ingress: [{ ip, ipMode: 'VIP' }] } }
    try {
      await ctx.client.update(resources.services, { ...service, status }, { subresource: 'status' })
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error
    }
  }
}

function free(taken: ReadonlySet<string | undefined>): string | undefined {
  for (let last = 1; last < 255; last++) {
    const ip = addresses.replace('.0/24', `.${last}`)
    if (!taken.has(ip)) return ip
  }
  return undefined
}
