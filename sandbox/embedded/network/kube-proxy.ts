import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node, Pod, Service } from '../schema/types/core.v1.ts'
import type { HttpRequest, HttpResponse, Listener } from './network.ts'
import { slicesOf } from './service-proxy.ts'

const healthPort = 10256
const metricsPort = 10249

/**
 * What kube-proxy itself serves on a node while its pod runs there: its health on 10256, its mode on 10249 (loopback), and
 * for load balancers whether a Service with externalTrafficPolicy Local has endpoints here, on its healthCheckNodePort.
 * @see pkg/proxy/healthcheck
 */
export function kubeProxyListener(ctx: ClusterContext, node: string, port: number, loopback: boolean): Listener | undefined {
  const service = ctx.cache.list<Service>(resources.services).find(({ spec }) => spec?.healthCheckNodePort === port)
  if (port !== healthPort && port !== metricsPort && !service) return undefined
  if ((port === metricsPort && !loopback) || !runsOn(ctx, node)) return undefined
  if (service) return { http: async () => serviceHealth(ctx, node, service) }
  return port === healthPort ? { http: async (request) => proxyHealth(ctx, node, request) } : { http: async (request) => mode(request) }
}

function runsOn(ctx: ClusterContext, node: string): boolean {
  return ctx.cache.list<Pod>(resources.pods, 'kube-system').some(({ metadata, spec, status }) => {
    return metadata.labels?.['k8s-app'] === 'kube-proxy' && spec?.nodeName === node && status?.phase === 'Running'
  })
}

function proxyHealth(ctx: ClusterContext, name: string, { path }: HttpRequest): HttpResponse {
  if (path !== '/healthz' && path !== '/livez') return text(404, '404 page not found\n')
  const now = new Date(ctx.clock.now()).toISOString()
  // A node on its way out takes no new traffic from load balancers, but its proxy lives.
  const eligible = !ctx.cache.get<Node>(resources.nodes, name)?.metadata.deletionTimestamp
  return json(path === '/livez' || eligible ? 200 : 503, { lastUpdated: now, currentTime: now, nodeEligible: eligible })
}

function mode({ path }: HttpRequest): HttpResponse {
  if (path === '/proxyMode') return text(200, 'iptables')
  return path === '/healthz' ? text(200, 'ok') : text(404, '404 page not found\n')
}

function serviceHealth(ctx: ClusterContext, node: string, service: Service): HttpResponse {
  const { namespace, name } = service.metadata
  const local = new Set(
    slicesOf(ctx, service).flatMap((slice) =>
      (slice.endpoints ?? [])
        .filter(({ conditions, nodeName }) => nodeName === node && conditions?.ready !== false)
        .flatMap(({ addresses }) => addresses),
    ),
  ).size
  return json(local > 0 ? 200 : 503, { service: { namespace, name }, localEndpoints: local, serviceProxyHealthy: true })
}

function text(status: number, body: string): HttpResponse {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body: Buffer.from(body) }
}

function json(status: number, value: object): HttpResponse {
  const headers = { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' }
  return { status, headers, body: Buffer.from(JSON.stringify(value, null, '\t')) }
}
