import type { GatewaySeat } from '../../gateway/seat.ts'
import { type HttpRequest, type HttpResponse, NetworkError } from '../../network/network.ts'
import { serviceTargets } from '../../network/service-proxy.ts'
import type { Service } from '../../schema/types/core.v1.ts'
import { type Process, TimeoutFault } from '../kernel/process.ts'
import { answer, header } from './http.ts'

export interface Peer {
  ip: string
  port: number
}

/** The address of one of a Service's ready endpoints; undefined where there is none. */
export function chooseTarget(process: Process, { ctx }: Pick<GatewaySeat, 'ctx'>, service: Service, port: number): Peer | undefined {
  const { spec } = service
  const servicePort = spec?.ports?.find((each) => each.port === port)
  const targets =
    spec?.type === 'ExternalName' ? [{ ip: spec.externalName ?? '', port }] : servicePort ? serviceTargets(ctx, service, servicePort) : []
  return targets[Math.floor(process.machine.random() * targets.length)]
}

interface Forwarded {
  service: Service
  port: number
  request: HttpRequest
  peer: Peer
  scheme: string
  /** For the whole answer; a minute unless given. 0 is without end. */
  timeoutMs?: number
}

/** ms in which a Pod must take the connection. */
const connectTimeout = 5000
const answerTimeout = 60_000

/**
 * Sends a request straight to one of a Service's ready endpoints over the network of the proxy's own Pod. 503 where there is
 * none, 502 where it is refused or breaks off, 504 where no answer comes.
 */
export async function forward(
  process: Process,
  seat: GatewaySeat,
  { service, port, request, peer, scheme, timeoutMs = answerTimeout }: Forwarded,
): Promise<{ response: HttpResponse; upstream: string }> {
  const target = chooseTarget(process, seat, service, port)
  if (!target) return { response: answer(503, 'no healthy upstream\n'), upstream: '-' }
  const upstream = `${target.ip}:${target.port}`
  const { network } = process.machine
  const message = { ...request, headers: withForwarded(request.headers, peer, scheme) }
  const send = (signal: AbortSignal) => network.http(target.ip, target.port, message, signal, connectTimeout)
  try {
    return { response: timeoutMs > 0 ? await process.within(timeoutMs, send) : await process.until(send), upstream }
  } catch (error) {
    if (error instanceof TimeoutFault || (error instanceof NetworkError && error.code === 'ETIMEDOUT')) {
      return { response: answer(504, 'Gateway Timeout\n'), upstream }
    }
    if (error instanceof NetworkError) return { response: answer(502, 'Bad Gateway\n'), upstream }
    throw error
  }
}

function withForwarded(headers: Readonly<Record<string, string>>, { ip }: Peer, scheme: string): Record<string, string> {
  const before = header(headers, 'x-forwarded-for')
  const kept = Object.entries(headers).filter(([name]) => !/^(x-forwarded-(for|proto|host)|x-real-ip|connection|keep-alive)$/i.test(name))
  const host = header(headers, 'host')
  return {
    ...Object.fromEntries(kept),
    'X-Forwarded-For': before ? `${before}, ${ip}` : ip,
    'X-Forwarded-Proto': scheme,
    ...(host && { 'X-Forwarded-Host': host }),
    'X-Real-IP': ip,
  }
}
