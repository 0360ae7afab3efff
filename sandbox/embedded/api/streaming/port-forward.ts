import type { NodeApi } from '../../machinery/node-api.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { SpdyStream } from './spdy.ts'

/** What to do with the streams of a SPDY session: each connection to a port is a pair, one for data and one for its error. */
export function forwardPorts(nodes: NodeApi, pod: Pod): (stream: SpdyStream) => void {
  const pairs = new Map<string, { data?: SpdyStream; error?: SpdyStream }>()
  return (stream) => {
    const id = stream.headers['requestid'] ?? ''
    const pair = pairs.get(id) ?? {}
    pairs.set(id, pair)
    pair[stream.headers['streamtype'] === 'error' ? 'error' : 'data'] = stream
    if (!pair.data || !pair.error) return
    pairs.delete(id)
    connect(nodes, pod, pair.data, pair.error)
  }
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
      error.write(Buffer.from(forwardFailure(pod, port, failure)))
      error.end()
      data.end()
    },
  )
}

/** What the error's stream says when nobody answers at a port. */
export function forwardFailure(pod: Pod, port: number, failure: unknown): string {
  const why = failure instanceof Error ? failure.message : String(failure)
  return `error forwarding port ${port} to pod ${pod.metadata.uid}, uid : ${why}`
}
