import type { WebSocket } from 'ws'

/** Protocols of streams that are only read; without any it is binary. */
export const readerProtocols = ['binary.k8s.io', 'base64.binary.k8s.io'] as const

/** Sends what comes as messages, an empty one first, and closes when it ends. */
export async function sendChunks(socket: WebSocket, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const base64 = socket.protocol.startsWith('base64')
  const send = (data: Uint8Array) => socket.send(base64 ? Buffer.from(data).toString('base64') : data)
  send(new Uint8Array())
  for await (const chunk of chunks) {
    if (socket.readyState !== socket.OPEN) return
    send(chunk)
  }
  socket.close(1000)
}
