import type { WebSocket } from 'ws'
import { ApiError } from '../../machinery/errors.ts'
import type { NodeApi } from '../../machinery/node-api.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import { forwardFailure } from './port-forward.ts'

/** Protocols of ports forwarded without SPDY, as client libraries do it; without any it is the first. */
export const forwardProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'] as const

/**
 * The ports that a request names, in order. Throws ApiError BadRequest
 * (k8s.io/kubelet/pkg/cri/streaming/portforward, NewV4Options).
 */
export function forwardedPorts(query: URLSearchParams): number[] {
  const named = query.getAll('ports').flatMap((text) => text.split(','))
  if (named.length === 0) throw ApiError.badRequest('query parameter "port" is required')
  return named.map((text) => {
    const port = Number(text)
    if (!/^\d+$/.test(text) || port > 65535) throw ApiError.badRequest(`unable to parse ${JSON.stringify(text)} as a port`)
    if (port < 1) throw ApiError.badRequest(`port ${JSON.stringify(text)} must be > 0`)
    return port
  })
}

/**
 * Forwards over one WebSocket: each port has a channel for data (2n) and one for its error (2n+1), and each of them begins
 * with the port's number in two bytes. It closes when all connections have ended.
 */
export function forwardOverChannels(socket: WebSocket, nodes: NodeApi, pod: Pod, ports: readonly number[]): void {
  const base64 = socket.protocol.includes('base64')
  const send = (channel: number, data: Uint8Array) => {
    if (socket.readyState !== socket.OPEN) return
    if (base64) socket.send(`${channel}${Buffer.from(data).toString('base64')}`)
    else socket.send(Buffer.concat([Uint8Array.of(channel), data]))
  }
  const heard = ports.map((): ((data: Uint8Array) => void) => () => {})
  const connections = new Set<Disposable>()
  let open = ports.length
  const ended = () => {
    if (--open === 0) socket.close(1000)
  }
  for (const [index, port] of ports.entries()) {
    const [data, error] = [2 * index, 2 * index + 1]
    for (const channel of [data, error]) send(channel, Uint8Array.of(port & 255, port >> 8))
    const early: Uint8Array[] = []
    heard[index] = (chunk) => early.push(chunk)
    nodes.portForward(pod.metadata.namespace ?? '', pod.metadata.name ?? '', port).then(
      (connection) => {
        connections.add(connection)
        connection.onData((chunk) => send(data, chunk))
        connection.onEnd(ended)
        heard[index] = (chunk) => connection.write(chunk)
        for (const chunk of early) connection.write(chunk)
        if (socket.readyState !== socket.OPEN) connection[Symbol.dispose]()
      },
      (failure: unknown) => {
        send(error, Buffer.from(forwardFailure(pod, port, failure)))
        ended()
      },
    )
  }
  socket.on('message', (message: Buffer) => {
    const channel = base64 ? (message[0] ?? 0) - 0x30 : (message[0] ?? 0)
    const chunk = base64 ? Buffer.from(message.subarray(1).toString(), 'base64') : message.subarray(1)
    if (channel % 2 === 0 && chunk.length > 0) heard[channel / 2]?.(chunk)
  })
  socket.on('close', () => {
    for (const connection of connections) connection[Symbol.dispose]()
  })
}
