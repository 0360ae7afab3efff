import { createServer, type Socket } from 'node:net'
import { NetworkError } from '../network/network.ts'
import type { Outside, OutsideView } from '../network/outside.ts'

/** Connections through one door at once; more are refused. */
const mostConnections = 256
/** Bytes that may wait for a client that does not read; one that lets more wait is let go. */
const mostWaiting = 16 * 2 ** 20
/** Real ms in which changes gather before they are told; longer where it takes long to see what they come to. */
const gathering = 50
/** Of the time of a cluster that changes without end, so much goes into what its shell reaches. */
const share = 1 / 20
const longestLine = 64

/**
 * Lets connections from without into a cluster, as a machine on the nodes' network makes them. A client of the Unix socket
 * says `IP PORT` and a newline; a `+` comes back when the connection stands, and the bytes follow. Where it is not taken the socket
 * is closed without a `+`. Changes of what answers are told while the door stands open; `report` hears errors that have no caller.
 */
export async function openDoor(
  outside: Outside,
  path: string,
  tell: (view: OutsideView) => void,
  report: (error: unknown) => void,
): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    void admit(outside, socket, report)
  })
  server.maxConnections = mostConnections
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
  let timer: NodeJS.Timeout | undefined
  let told = ''
  let pause = gathering
  const look = () => {
    timer = undefined
    const began = performance.now()
    const view = outside.view()
    pause = Math.max(gathering, (performance.now() - began) / share)
    const text = JSON.stringify(view)
    if (text !== told) tell(view)
    told = text
  }
  const listening = outside.onChange(() => {
    timer ??= setTimeout(look, pause)
  })
  look()
  return {
    async [Symbol.asyncDispose]() {
      clearTimeout(timer)
      listening[Symbol.dispose]()
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** What is not taken, or not asked for as it should be, is closed: the client learns it by that. */
async function admit(outside: Outside, socket: Socket, report: (error: unknown) => void): Promise<void> {
  const gone = new AbortController()
  socket.on('close', () => gone.abort(new Error('the client is gone')))
  const asked = await firstLine(socket)
  if (!asked) {
    socket.destroy()
    return
  }
  const { ip, port, rest } = asked
  try {
    const connection = await outside.connect(ip, port, gone.signal)
    socket.on('close', () => connection[Symbol.dispose]())
    socket.write('+')
    connection.onData((data) => {
      if (!socket.writableEnded) socket.write(data)
      if (socket.writableLength > mostWaiting) socket.destroy()
    })
    connection.onEnd(() => socket.end())
    if (rest.length > 0) connection.write(rest)
    socket.on('data', (data) => connection.write(data))
    socket.on('end', () => connection.end())
    socket.resume()
  } catch (error) {
    socket.destroy()
    if (!(error instanceof NetworkError) && !gone.signal.aborted) report(error)
  }
}

/** Undefined where none comes that is an address and a port. */
function firstLine(socket: Socket): Promise<{ ip: string; port: number; rest: Buffer } | undefined> {
  return new Promise((resolve) => {
    let seen: Buffer = Buffer.alloc(0)
    const hear = (data: Buffer) => {
      seen = Buffer.concat([seen, data])
      const end = seen.indexOf('\n')
      if (end === -1 && seen.length < longestLine) return
      socket.off('data', hear)
      socket.pause()
      const [, ip, port] = /^([\d.]+) (\d+)$/.exec(seen.subarray(0, Math.max(0, end)).toString()) ?? []
      resolve(ip === undefined ? undefined : { ip, port: Number(port), rest: seen.subarray(end + 1) })
    }
    socket.on('data', hear)
    socket.once('close', () => resolve(undefined))
  })
}
