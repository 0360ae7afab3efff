import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Config } from './config.ts'
import { admit, isSameOrigin, type Refusal } from './requests.ts'

/** bytes; a large paste fits */
const largestMessage = 4_000_000

export interface Sockets {
  /** Closes every open socket (1001, going away) and takes no more. */
  close(): void
}

/**
 * Takes WebSockets at /ws/terminal from pages of this site alone, and hands each to `serve`. Who it is comes in the first
 * message as a ticket: nothing that lets anybody in is in the address.
 */
export function acceptSockets(server: Server, config: Config, serve: (socket: WebSocket) => void): Sockets {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: largestMessage, perMessageDeflate: false })
  let closed = false
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const refusal = closed ? { status: 503, sentence: 'The server is stopping.' } : refusalOf(request, config)
    if (refusal) {
      socket.end(`HTTP/1.1 ${refusal.status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    sockets.handleUpgrade(request, socket, head, serve)
  })
  return {
    close() {
      closed = true
      for (const socket of sockets.clients) socket.close(1001)
    },
  }
}

function refusalOf(request: IncomingMessage, config: Config): Refusal | null {
  const refusal = admit(request, config)
  if (refusal) return refusal
  if (request.url?.split('?')[0] !== '/ws/terminal') return { status: 404, sentence: 'There is nothing here.' }
  return isSameOrigin(request) ? null : { status: 403, sentence: 'This request came from another site.' }
}
