import protobufjs from 'protobufjs'
import type { Clock } from '../clock.ts'
import { GrpcChannel, grpcCode, grpcCodes } from '../network/grpc.ts'
import { NetworkError, type PodNetwork } from '../network/network.ts'
import type { GRPCAction } from '../schema/types/core.v1.ts'
import { goDuration } from './duration.ts'
import { type ProbeOutcome, withDeadline } from './probe-handlers.ts'

const { Reader, Writer } = protobufjs

/** As gRPC clients dial: the first wait, ms, and what it grows by. */
const redialAfter = 1000
const redialFactor = 1.6

/**
 * Asks a port of a Pod for its health over HTTP/2, with the words of the kubelet's prober. Never rejects.
 * @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export async function grpcProbe(
  { clock, network, podIP }: { clock: Clock; network: PodNetwork; podIP: string },
  { port, service = '' }: GRPCAction,
  timeout: number,
): Promise<ProbeOutcome> {
  using deadline = withDeadline(clock, timeout)
  const { signal } = deadline
  const authority = `${podIP}:${port}`
  using channel = await dialled(clock, network, podIP, port, signal)
  if (!channel) {
    const output = `timeout: failed to connect service ${JSON.stringify(authority)} within ${goDuration(timeout)}: context deadline exceeded`
    return { result: 'failure', output }
  }
  const message = service ? Writer.create().uint32(10).string(service).finish() : new Uint8Array()
  try {
    const asked = { authority, userAgent: 'kube-probe/1.34', signal }
    const { code, message: text, reply } = await channel.call('/grpc.health.v1.Health/Check', message, asked)
    if (code === grpcCode('Unimplemented')) {
      const output = `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${text}`
      return { result: 'failure', output }
    }
    if (code !== grpcCode('OK')) {
      const name = grpcCodes[code] ?? `Code(${code})`
      return { result: 'failure', output: `error: health rpc probe failed: rpc error: code = ${name} desc = ${text}` }
    }
    const status = statusOf(reply)
    if (status === 'SERVING') return { result: 'success', output: 'service healthy' }
    return { result: 'failure', output: `service unhealthy (responded with "${status}")` }
  } catch (error) {
    if (!signal.aborted) throw error
    return { result: 'failure', output: `timeout: health rpc did not complete within ${goDuration(timeout)}` }
  }
}

/** Dials until there is an HTTP/2 server or the time is up; undefined then. */
async function dialled(clock: Clock, network: PodNetwork, ip: string, port: number, signal: AbortSignal): Promise<GrpcChannel | undefined> {
  for (let wait = redialAfter; ; wait *= redialFactor) {
    try {
      return await GrpcChannel.open(clock, await network.connect(ip, port, signal), signal)
    } catch (error) {
      if (signal.aborted) return undefined
      if (!(error instanceof NetworkError)) throw error
    }
    await clock.sleep(wait, signal).catch(() => undefined)
    if (signal.aborted) return undefined
  }
}

/** HealthCheckResponse.status: an enumeration, field 1. */
function statusOf(reply: Uint8Array): string {
  const reader = Reader.create(reply)
  let status = 0
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag === 8) status = reader.int32()
    else reader.skipType(tag & 7)
  }
  return ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'][status] ?? String(status)
}
