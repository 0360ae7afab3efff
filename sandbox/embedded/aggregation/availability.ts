import { isDeepStrictEqual } from 'node:util'
import { WorkQueue } from '../controllers/queue.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isConflict, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { APIService, APIServiceCondition } from '../schema/types/apiregistration.v1.ts'
import type { Service } from '../schema/types/core.v1.ts'
import type { EndpointSlice } from '../schema/types/discovery.v1.ts'
import type { APIResourceList } from '../schema/types/meta.v1.ts'
import { type Aggregator, BadStatus } from './aggregator.ts'

/** ms between looks at a server whose objects do not change. */
const recheck = 30_000
/** ms */
const discoveryTimeout = 5000

/** Looks after the Available condition of APIServices with a Service (available_controller.go), and asks them what they serve. */
export function startAvailability(
  context: ClusterContext,
  aggregator: Aggregator,
  answersItself: (group: string, version: string) => boolean,
): Disposable {
  const { cache, client, clock, signal } = context
  const queue = new WorkQueue(context, sync, { name: 'apiservice-availability' })
  const stack = new DisposableStack()
  stack.use(queue)
  stack.use(
    cache.watch<APIService>(resources.apiServices, ({ type, object, previous }) => {
      const name = object.metadata.name ?? ''
      if (type === 'DELETED') aggregator.describe(name, undefined)
      if (object.spec?.service || previous?.spec?.service) aggregator.changed()
      if (type !== 'DELETED' && object.spec?.service) queue.add(name)
    }),
  )
  for (const resource of [resources.services, resources.endpointSlices]) {
    stack.use(
      cache.watch(resource, ({ object: { metadata } }) => {
        const service = metadata.labels?.['kubernetes.io/service-name'] ?? metadata.name
        for (const { metadata: owner, spec } of remoteServices()) {
          if (spec?.service?.namespace === metadata.namespace && spec?.service?.name === service) queue.add(owner.name ?? '')
        }
      }),
    )
  }
  return stack

  function remoteServices(): APIService[] {
    return cache.list<APIService>(resources.apiServices).filter(({ spec }) => spec?.service)
  }

  async function sync(name: string): Promise<void> {
    const service = cache.get<APIService>(resources.apiServices, name)
    if (!service?.spec?.service) return
    const problem = missing(service) ?? (await silence(name, service))
    const condition: APIServiceCondition = problem
      ? { type: 'Available', status: 'False', ...problem }
      : { type: 'Available', status: 'True', reason: 'Passed', message: 'all checks passed' }
    queue.addAfter(name, recheck)
    const current = cache.get<APIService>(resources.apiServices, name)
    if (!current || current.metadata.uid !== service.metadata.uid) return
    const conditions = withCondition(current.status?.conditions ?? [], condition)
    if (conditions === current.status?.conditions) return
    try {
      await client.update(resources.apiServices, { ...current, status: { ...current.status, conditions } }, { subresource: 'status' })
    } catch (error) {
      if (isConflict(error)) queue.add(name)
      else if (!isNotFound(error)) throw error
    }
  }

  /** What of the Service stands in the way. */
  function missing({ spec }: APIService): { reason: string; message: string } | undefined {
    const { namespace = '', name = '', port = 443 } = spec?.service ?? {}
    const which = `service/${name} in ${JSON.stringify(namespace)}`
    const service = cache.get<Service>(resources.services, name, namespace)
    if (!service) return { reason: 'ServiceNotFound', message: `${which} is not present` }
    const served = service.spec?.ports?.find((one) => one.port === port)
    if (!served) return { reason: 'ServicePortError', message: `${which} is not listening on port ${port}` }
    const slices = cache
      .list<EndpointSlice>(resources.endpointSlices, namespace)
      .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name)
    if (slices.length === 0) return { reason: 'EndpointsNotFound', message: `cannot find endpointslices for ${which}` }
    const ready = slices.some(
      ({ endpoints, ports }) =>
        endpoints.some(({ conditions }) => conditions?.ready !== false) && ports?.some((one) => (one.name ?? '') === (served.name ?? '')),
    )
    if (ready) return undefined
    const portName = JSON.stringify(served.name ?? '')
    return { reason: 'MissingEndpoints', message: `endpoints for ${which} have no addresses with port name ${portName}` }
  }

  /** Asks for discovery; keeps the answer, or says why there is none. */
  async function silence(name: string, service: APIService): Promise<{ reason: string; message: string } | undefined> {
    const { group = '', version = '' } = service.spec ?? {}
    if (answersItself(group, version)) return undefined
    const { namespace, name: target, port = 443 } = service.spec?.service ?? {}
    const url = `https://${cache.get<Service>(resources.services, target ?? '', namespace)?.spec?.clusterIP}:${port}/apis/${group}/${version}`
    const ended = new AbortController()
    using _timer = clock.setTimeout(() => ended.abort(new Error('context deadline exceeded')), discoveryTimeout)
    const both = AbortSignal.any([signal, ended.signal])
    try {
      const list = JSON.parse(Buffer.from(await aggregator.fetch(service, `/apis/${group}/${version}`, both)).toString()) as APIResourceList
      // its documents are large, and tell of what its discovery tells of
      if (isDeepStrictEqual(aggregator.descriptionOf(name)?.list, list)) return undefined
      const document = (path: string) => aggregator.fetch(service, path, both).catch(ifItHasNone)
      const openApi = await document(`/openapi/v3/apis/${group}/${version}`)
      aggregator.describe(name, { list, openApi, openApi2: await document('/openapi/v2') })
      return undefined
    } catch (error) {
      const message =
        error instanceof BadStatus
          ? `failing or missing response from ${url}: bad status from ${url}: ${error.status}`
          : `failing or missing response from ${url}: Get ${JSON.stringify(url)}: ${error instanceof Error ? error.message : String(error)}`
      return { reason: 'FailedDiscoveryCheck', message }
    }
  }

  function withCondition(conditions: APIServiceCondition[], condition: APIServiceCondition): APIServiceCondition[] {
    const old = conditions.find(({ type }) => type === condition.type)
    if (old && old.status === condition.status && old.reason === condition.reason && old.message === condition.message) return conditions
    const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
    const lastTransitionTime = old?.status === condition.status && old.lastTransitionTime ? old.lastTransitionTime : now
    const next = { lastTransitionTime, ...condition }
    return old ? conditions.map((one) => (one === old ? next : one)) : [...conditions, next]
  }
}

function ifItHasNone(error: unknown): undefined {
  if (!(error instanceof BadStatus)) throw error
}
