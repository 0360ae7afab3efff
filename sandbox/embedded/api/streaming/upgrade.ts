import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { ApiError } from '../../machinery/errors.ts'
import type { NodeApi } from '../../machinery/node-api.ts'
import type { KubeObject } from '../../machinery/object.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { ApiServer } from '../api-server.ts'
import type { ApiCall, ResourceCall } from '../call.ts'
import type { ResourceHandler } from '../resource-handler.ts'
import { requireNode } from './container-name.ts'
import { logHandler } from './logs.ts'
import { forwardPorts } from './port-forward.ts'
import { commandRequest, isSet, runCommand } from './remote-command.ts'
import { SpdySession, type SpdyStream } from './spdy.ts'
import { acceptSpdy, SpdyCommand, spdyProtocol } from './spdy-command.ts'
import { commandProtocols, WebSocketCommand } from './websocket-command.ts'
import { forwardedPorts, forwardOverChannels, forwardProtocols } from './websocket-forward.ts'
import { readerProtocols, sendChunks } from './websocket-logs.ts'

const forwardProtocol = 'SPDY/3.1+portforward.k8s.io'
/** Stands for it while the handshake is read: its slash is no character of a WebSocket protocol's name by RFC 6455. */
const forwardStandIn = 'spdy-portforward'

export interface UpgradeParts {
  api: ApiServer
  generic: ResourceHandler
  nodes(): NodeApi
  report(where: string, error: unknown): void
}

/**
 * Takes over connections for exec, attach, port-forward and logs, by WebSocket (kubectl 1.31 and later) or by SPDY
 * (before, and client libraries). Rejects with the ApiError that is to be the HTTP answer when it doesn't come to a
 * connection.
 */
export function upgradeHandler(parts: UpgradeParts) {
  const logs = logHandler(parts.generic, parts.nodes)
  return async (call: ApiCall, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const resolved = parts.api.connect(call)
    const { info, path } = resolved
    if (info.group !== '' || info.resource !== 'pods') throw ApiError.unknownPath()
    const pod = (await parts.generic.rest.get(info, path.namespace, path.name)) as Pod
    const overSpdy = (call.headers['upgrade'] ?? '').toLowerCase() !== 'websocket'
    const where = `${path.subresource} ${path.namespace}/${path.name}`
    const report = (error: unknown) => parts.report(where, error)
    const offered = request.headers['sec-websocket-protocol']
    if (offered) request.headers['sec-websocket-protocol'] = offered.replace(forwardProtocol, forwardStandIn)
    const acceptWebSocket = (protocols: readonly string[]) =>
      new Promise<WebSocket>((resolve) => {
        const handleProtocols = (offered: Set<string>) =>
          offered.has(forwardStandIn) ? forwardProtocol : (protocols.find((protocol) => offered.has(protocol)) ?? false)
        const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, handleProtocols })
        sockets.handleUpgrade(request, socket, head, (webSocket) => {
          webSocket.on('error', report)
          resolve(webSocket)
        })
      })
    switch (path.subresource) {
      case 'portforward': {
        requireNode(pod)
        const protocol = overSpdy ? spdyProtocol(call.headers, 'forward') : ''
        const tunnelled = offered?.includes(forwardProtocol)
        const ports = overSpdy || tunnelled ? [] : forwardedPorts(resolved.request.query)
        await admitConnect(parts, resolved)
        const onStream = forwardPorts(parts.nodes(), pod)
        if (overSpdy) acceptSpdy(socket, head, protocol, onStream, report)
        else if (tunnelled) tunnel(await acceptWebSocket([]), onStream, report)
        else forwardOverChannels(await acceptWebSocket(forwardProtocols), parts.nodes(), pod, ports)
        return
      }
      case 'exec':
      case 'attach': {
        requireNode(pod)
        const asked = commandRequest(resolved, pod)
        const { options } = asked
        const protocol = overSpdy ? spdyProtocol(call.headers, 'command') : ''
        await admitConnect(parts, resolved)
        const first = options.stdout ? 'stdout' : options.stderr ? 'stderr' : 'error'
        const accept = async () =>
          overSpdy
            ? await SpdyCommand.accept(socket, head, protocol, options, report)
            : new WebSocketCommand(await acceptWebSocket(commandProtocols), first)
        return await runCommand(parts.nodes(), resolved, asked, accept)
      }
      case 'log': {
        const outcome = await logs(resolved)
        if (overSpdy || outcome.type !== 'stream') throw ApiError.unknownPath()
        await sendChunks(await acceptWebSocket(readerProtocols), outcome.chunks)
        return
      }
      default:
        throw ApiError.unknownPath()
    }
  }
}

/** SPDY inside a WebSocket, as kubectl forwards ports. */
function tunnel(socket: WebSocket, onStream: (stream: SpdyStream) => void, report: (error: unknown) => void): void {
  const session = new SpdySession({
    send: (data) => {
      if (socket.readyState === socket.OPEN) socket.send(data)
    },
    onStream,
  })
  socket.on('message', (message: Buffer) => {
    session.receive(message).catch((error: unknown) => {
      report(error)
      socket.close(1002)
    })
  })
  socket.on('close', () => session[Symbol.dispose]())
}

/** What admission sees of a connection. */
const connections: Readonly<Record<string, string>> = {
  exec: 'PodExecOptions',
  attach: 'PodAttachOptions',
  portforward: 'PodPortForwardOptions',
}

async function admitConnect(parts: UpgradeParts, call: ResourceCall): Promise<void> {
  const kind = connections[call.path.subresource] ?? ''
  const write = parts.generic.writeRequest(call, { dryRun: false, fieldManager: '', fieldValidation: 'Ignore' }, 'ConnectOptions')
  const { query } = call.request
  const flags = ['stdin', 'stdout', 'stderr', 'tty'].filter((name) => isSet(query, name)).map((name) => [name, true] as const)
  const container = query.get('container')
  const options = {
    ...Object.fromEntries(flags),
    ...(container ? { container } : {}),
    ...(query.has('command') ? { command: query.getAll('command') } : {}),
    ...(query.has('ports') ? { ports: query.getAll('ports').map(Number) } : {}),
  }
  const body = { apiVersion: 'v1', kind, ...options } as unknown as KubeObject
  await parts.generic.rest.admitBody(write, 'CONNECT', body, { group: '', version: 'v1', kind })
}
