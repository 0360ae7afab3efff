import { selfSigned } from '../../auth/certificates.ts'
import { filteredRequest, filteredResponse, redirected } from '../../gateway/filters.ts'
import { hostOf } from '../../gateway/hostnames.ts'
import { type ResolvedGateway, resolveBackend } from '../../gateway/resolve.ts'
import { findRule, type Matched } from '../../gateway/routes.ts'
import type { GatewaySeat } from '../../gateway/seat.ts'
import type { BackendRef, RouteFilter } from '../../gateway/types.ts'
import type { GrpcCall, HttpRequest, HttpResponse } from '../../network/network.ts'
import { klogError, klogInfo } from '../go/log.ts'
import { forever } from '../go/signals.ts'
import type { Process } from '../kernel/process.ts'
import { forward, type Peer } from './gateway-backend.ts'
import { carryCall } from './gateway-grpc.ts'
import { answer, combinedLog, header, listenHttp } from './http.ts'

/**
 * The built-in gateway: `controller` keeps the classes' objects, `proxy --ingress` serves all Ingresses on 80 and 443,
 * `proxy --gateway=NAMESPACE/NAME` a Gateway on its listeners' ports.
 */
export async function gateway(process: Process): Promise<number> {
  const seat = process.machine.network.gateway
  const [mode, ...flags] = process.args
  for (const signal of ['TERM', 'INT'] as const) process.trap(signal, () => process.end({ code: 0 }))
  if (!seat) {
    await klogError(process, 'main.go:31', 'the API server is out of reach')
    return 1
  }
  if (mode === 'controller') {
    const control = seat.control()
    process.onEnd(() => control[Symbol.dispose]())
    await klogInfo(process, 'main.go:40', 'Starting controllers of IngressClass and GatewayClass labernetes')
    return await forever(process)
  }
  const named = flags.map((flag) => /^--gateway=([^/]+)\/(.+)$/.exec(flag)).find((match) => match !== null)
  if (mode === 'proxy' && named) return await serveGateway(process, seat, named[1] as string, named[2] as string)
  if (mode === 'proxy' && flags.includes('--ingress')) return await serveIngresses(process, seat)
  await process.complain('usage: gateway controller | gateway proxy --ingress | gateway proxy --gateway=NAMESPACE/NAME\n')
  return 2
}

async function serveIngresses(process: Process, seat: GatewaySeat): Promise<number> {
  const routes = seat.ingresses(() => {})
  process.onEnd(() => routes[Symbol.dispose]())
  const handle = (scheme: string) => async (request: HttpRequest, peer: Peer) => {
    const host = hostOf(header(request.headers, 'host'))
    const target = routes.read().find(host, request.path)
    const backend = target?.service && target.port !== undefined ? { service: target.service, port: target.port } : undefined
    const { response, upstream } = !target
      ? { response: answer(404, 'default backend - 404'), upstream: '-' }
      : backend
        ? await forward(process, seat, { ...backend, request, peer, scheme })
        : { response: answer(503, 'Service Temporarily Unavailable\n'), upstream: '-' }
    return logged(process, request, peer, response, `${target ? `${target.namespace}/${target.name}` : '-'} ${upstream}`)
  }
  const fallback = fallbackCertificate(process)
  listenHttp(process, 80, handle('http'))
  listenHttp(process, 443, handle('https'), {
    tls: { select: (host) => routes.read().certificate(host ?? '') ?? fallback(), plain: plainAnswer },
  })
  await klogInfo(process, 'proxy.go:58', 'Serving Ingresses of class labernetes on :80 and :443')
  return await forever(process)
}

async function serveGateway(process: Process, seat: GatewaySeat, namespace: string, name: string): Promise<number> {
  const open = new Map<number, Disposable>()
  const view = seat.gateway(namespace, name, () => listen())
  process.onEnd(() => view[Symbol.dispose]())
  const handle = (port: number, scheme: string) => async (request: HttpRequest, peer: Peer) => {
    const found = view.read()
    const matched = found && findRule(found, port, request)
    const { response, upstream } = matched
      ? await route(process, seat, matched, request, peer, scheme)
      : { response: answer(404, ''), upstream: '-' }
    const { metadata } = matched?.route ?? {}
    return logged(process, request, peer, response, `${metadata ? `${metadata.namespace}/${metadata.name}` : '-'} ${upstream}`)
  }
  const listen = () => {
    if (process.ended) return
    const works = view.read()?.listeners.filter((listener) => listener.works) ?? []
    const wanted = new Map(works.map(({ listener }) => [listener.port, listener.protocol]))
    for (const [port, listener] of open) {
      if (wanted.has(port)) continue
      listener[Symbol.dispose]()
      open.delete(port)
    }
    for (const [port, protocol] of wanted) {
      if (open.has(port)) continue
      const tls = { select: (host: string | undefined) => certificateOf(view.read(), port, host), plain: plainAnswer }
      const scheme = protocol === 'HTTPS' ? 'https' : 'http'
      const grpc = (call: GrpcCall, peer: Peer) => carryCall(process, seat, view.read(), port, call, peer)
      open.set(port, listenHttp(process, port, handle(port, scheme), { grpc, ...(protocol === 'HTTPS' && { tls }) }))
    }
  }
  listen()
  await klogInfo(process, 'proxy.go:91', `Serving Gateway ${namespace}/${name} on ports ${[...open.keys()].join(', ') || '(none)'}`)
  return await forever(process)
}

function certificateOf(gateway: ResolvedGateway | undefined, port: number, host = ''): { certificate: string; key: string } | undefined {
  const listeners = gateway?.listeners.filter((each) => each.works && each.listener.port === port) ?? []
  const named = listeners.filter(({ listener }) => coversName(listener.hostname, host))
  return (named.sort((a, b) => (b.listener.hostname?.length ?? 0) - (a.listener.hostname?.length ?? 0))[0] ?? listeners[0])?.certificates[0]
}

function coversName(hostname: string | undefined, host: string): boolean {
  return !hostname || hostname === host || (hostname.startsWith('*.') && host.endsWith(hostname.slice(1)))
}

async function route(
  process: Process,
  seat: GatewaySeat,
  matched: Matched,
  request: HttpRequest,
  peer: Peer,
  scheme: string,
): Promise<{ response: HttpResponse; upstream: string }> {
  const { rule, match } = matched
  const redirect = redirected(matched, request)
  if (redirect) return { response: redirect, upstream: '-' }
  const prefix = match.path?.value ?? '/'
  const ref = weighted(rule.backendRefs ?? [], process.machine.random)
  if (!ref) return { response: answer(500, ''), upstream: '-' }
  const backend = resolveBackend(seat.ctx, matched.route, ref)
  if ('problem' in backend) return { response: answer(500, ''), upstream: '-' }
  const filters = [...(rule.filters ?? []), ...(ref.filters ?? [])]
  const sent = filteredRequest(filters, request, prefix)
  mirror(process, seat, matched, rule.filters ?? [], sent, peer, scheme)
  const timeout = rule.timeouts?.backendRequest ?? rule.timeouts?.request
  const { response, upstream } = await forward(process, seat, {
    ...backend,
    request: sent,
    peer,
    scheme,
    ...(timeout && { timeoutMs: durationOf(timeout) }),
  })
  return { response: filteredResponse(filters, response), upstream }
}

/** One of the references, each as often as its weight says. */
export function weighted(refs: readonly BackendRef[], random: () => number): BackendRef | undefined {
  const total = refs.reduce((sum, { weight = 1 }) => sum + weight, 0)
  let left = random() * total
  for (const ref of refs) {
    left -= ref.weight ?? 1
    if (left < 0) return ref
  }
  return undefined
}

/** Sends copies, whose answers nobody waits for. */
function mirror(
  process: Process,
  seat: GatewaySeat,
  { route: from }: Matched,
  filters: readonly RouteFilter[],
  request: HttpRequest,
  peer: Peer,
  scheme: string,
): void {
  for (const { requestMirror } of filters) {
    if (!requestMirror) continue
    const { percent, fraction, backendRef } = requestMirror
    const share = fraction ? fraction.numerator / (fraction.denominator ?? 100) : (percent ?? 100) / 100
    const backend = resolveBackend(seat.ctx, from, backendRef)
    if ('problem' in backend || process.machine.random() >= share) continue
    const sent = forward(process, seat, { ...backend, request, peer, scheme })
    sent.catch((error: unknown) => {
      if (!process.ended) seat.ctx.report('a mirrored request', error)
    })
  }
}

/** GEP-2257's durations: 10s, 1h30m, 500ms. In ms; 0 is none. */
function durationOf(text: string): number {
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
  return [...text.matchAll(/(\d+)(h|ms|m|s)/g)].reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit as string] as number), 0)
}

const plainAnswer: HttpResponse = answer(400, 'Client sent an HTTP request to an HTTPS server.\n')

/** Made when first needed. */
function fallbackCertificate(process: Process): () => { certificate: string; key: string } {
  let made: { certificate: string; key: string } | undefined
  const year = 365 * 86_400_000
  return () => {
    const now = process.machine.clock.now()
    made ??= selfSigned({ dnsNames: ['ingress.local'] }, now - 60_000, now + year)
    return made
  }
}

async function logged(process: Process, request: HttpRequest, peer: Peer, response: HttpResponse, extra: string): Promise<HttpResponse> {
  const host = header(request.headers, 'host') ?? '-'
  await process.print(combinedLog(process.machine.now(), request, peer, response, ` ${host} ${extra}`))
  return response
}
