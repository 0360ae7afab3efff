import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { inCIDR } from '../network/addresses.ts'
import type { Condition } from '../schema/types/meta.v1.ts'
import type { IPAddress, ServiceCIDR } from '../schema/types/networking.v1.ts'
import { WorkQueue } from './queue.ts'
import { formatTime } from './time.ts'

const finalizer = 'networking.k8s.io/service-cidr-finalizer'

/** How long a ServiceCIDR stays after its last address is gone, so that every allocator has heard of its end. */
const deletionGrace = 10_000

/** Says of ServiceCIDRs that they are ready, and holds those back whose addresses are in use (KEP-1880). */
export function startServiceCIDR(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(
    new WorkQueue(context, (name) => sync(context, name, (ms) => queue.addAfter(name, ms)), { name: 'service-cidr-controller' }),
  )
  const all = () => {
    for (const { metadata } of context.cache.list<ServiceCIDR>(resources.serviceCIDRs)) queue.add(metadata.name ?? '')
  }
  stack.use(context.cache.watch<ServiceCIDR>(resources.serviceCIDRs, all))
  stack.use(
    context.cache.watch<IPAddress>(resources.ipAddresses, ({ type }) => {
      if (type === 'DELETED') all()
    }),
  )
  return stack
}

async function sync(context: ClusterContext, name: string, later: (ms: number) => void): Promise<void> {
  const cidr = context.cache.get<ServiceCIDR>(resources.serviceCIDRs, name)
  if (!cidr) return
  const { finalizers = [], deletionTimestamp, resourceVersion } = cidr.metadata
  if (!deletionTimestamp) {
    if (!finalizers.includes(finalizer)) {
      const patch = { metadata: { resourceVersion, finalizers: [...finalizers, finalizer] } }
      await context.client.patch(resources.serviceCIDRs, name, patch, 'merge')
    }
    await say(context, cidr, { type: 'Ready', status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' })
    return
  }
  if (!mayGo(context, cidr)) {
    const message = 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR'
    await say(context, cidr, { type: 'Ready', status: 'False', reason: 'Terminating', message })
    return
  }
  const left = Date.parse(deletionTimestamp) + deletionGrace - context.clock.now()
  if (left > 0) return later(left)
  if (!finalizers.includes(finalizer)) return
  const rest = finalizers.filter((other) => other !== finalizer)
  const patch = { metadata: { resourceVersion, finalizers: rest.length > 0 ? rest : null } }
  await context.client.patch(resources.serviceCIDRs, name, patch, 'merge')
}

/** Whether no address would be left without a range. */
function mayGo({ cache }: ClusterContext, going: ServiceCIDR): boolean {
  const others = cache
    .list<ServiceCIDR>(resources.serviceCIDRs)
    .filter(({ metadata }) => metadata.name !== going.metadata.name)
    .flatMap(({ spec }) => spec?.cidrs ?? [])
  const within = (ip: string, ranges: readonly string[]) => ranges.some((range) => inCIDR(ip, range))
  return !cache
    .list<IPAddress>(resources.ipAddresses)
    .some(({ metadata }) => within(metadata.name ?? '', going.spec?.cidrs ?? []) && !within(metadata.name ?? '', others))
}

async function say(context: ClusterContext, cidr: ServiceCIDR, condition: Omit<Condition, 'lastTransitionTime'>): Promise<void> {
  const known = cidr.status?.conditions?.find(({ type }) => type === condition.type)
  if (known?.status === condition.status && known.message === condition.message) return
  const lastTransitionTime = known?.status === condition.status ? known.lastTransitionTime : formatTime(context.clock.now())
  const status = { conditions: [{ ...condition, lastTransitionTime }] }
  await context.client.patch(resources.serviceCIDRs, cidr.metadata.name ?? '', { status }, 'merge', { subresource: 'status' })
}
