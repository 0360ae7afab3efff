import type { WebSocket } from 'ws'
import type { NodeApi } from '../../machinery/node-api.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import { SpdySession, type SpdyStream } from './spdy.ts'

/** Serves SPDY/3.1 inside a WebSocket: each connection to a port is a pair of streams, one for data and one for its error. */
export function forwardPorts(socket: WebSocket, nodes: NodeApi, pod: Pod, report: (where: string, error: unknown) => void): void {
  const pairs = new Map<string, { data?: SpdyStream; error?: SpdyStream }>()
  const where = `port-forward ${pod.metadata.namespace}/${pod.metadata.name}`
  const session = new SpdySession({
    send: (data) => {
      if (socket.readyState === socket.OPEN) socket.send(data)
    },
    onStream: (stream) => {
      const id = stream.headers['requestid'] ?? ''
      const pair = pairs.get(id) ?? {}
      pairs.set(id, pair)
      pair[stream.headers['streamtype'] === 'error' ? 'error' : 'data'] = stream
      if (!pair.data || !pair.error) return
      pairs.delete(id)
      connect(nodes, pod, pair.data, pair.error)
    },
  })
  socket.on('message', (message: Buffer) => {
    session.receive(message).catch((error) => {
      report(where, error)
      socket.close(1002)
    })
  })
  socket.on('error', (error) => report(where, error))
  socket.on('close', () => session[Symbol.dispose]())
}

function connect(nodes: NodeApi, pod: Pod, data: SpdyStream, error: SpdyStream): void {
  const port = Number(data.headers['port'])
  const early: Uint8Array[] = []
  data.onData = (chunk) => early.push(chunk)
  nodes.portForward(pod.metadata.namespace ?? '', pod.metadata.name ?? '', port).then(
    (connection) => {
      connection.onData((chunk) => data.write(chunk))
      connection.onEnd(() => {
        data.end()
        error.end()
      })
      data.onData = (chunk) => {
        if (chunk.length > 0) connection.write(chunk)
        else connection.end()
      }
      for (const chunk of early) data.onData(chunk)
    },
    (failure: unknown) => {
      const why = failure instanceof Error ? failure.message : String(failure)
      error.write(Buffer.from(`error forwarding port ${port} to pod ${pod.metadata.uid}, uid : ${why}`))
      error.end()
      data.end()
    },
  )
}
