import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { ContainerError, type Process } from '../../containers/runtime.ts'
import { ApiError, isApiError } from '../../machinery/errors.ts'
import type { NodeApi, StreamOptions } from '../../machinery/node-api.ts'
import type { KubeObject } from '../../machinery/object.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { ApiServer } from '../api-server.ts'
import type { ApiCall, ResourceCall } from '../call.ts'
import type { ResourceHandler } from '../resource-handler.ts'
import { containerName, requireNode } from './container-name.ts'
import { forwardPorts } from './port-forward.ts'

/** Protocols of remote commands, the preferred first: v5 can close stdin. */
const commandProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
const forwardProtocol = 'SPDY/3.1+portforward.k8s.io'
/** Stands for it while the handshake is read: its slash is no character of a WebSocket protocol's name by RFC 6455. */
const forwardStandIn = 'spdy-portforward'
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

export interface UpgradeParts {
  api: ApiServer
  generic: ResourceHandler
  nodes(): NodeApi
  report(where: string, error: unknown): void
}

/**
 * Takes over connections for exec, attach and port-forward by WebSocket, as kubectl 1.31 and later open them. Rejects
 * with the ApiError that is to be the HTTP answer when it doesn't come to a connection.
 */
export function upgradeHandler(parts: UpgradeParts) {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (offered) =>
      offered.has(forwardStandIn) ? forwardProtocol : (commandProtocols.find((protocol) => offered.has(protocol)) ?? false),
  })
  return async (call: ApiCall, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const resolved = parts.api.connect(call)
    const { info, path } = resolved
    if (info.group !== '' || info.resource !== 'pods') throw ApiError.unknownPath()
    const pod = (await parts.generic.rest.get(info, path.namespace, path.name)) as Pod
    requireNode(pod)
    const kind = connections[path.subresource]
    if (!kind) throw ApiError.unknownPath()
    await admitConnect(parts, resolved, kind)
    if ((call.headers['upgrade'] ?? '').toLowerCase() !== 'websocket') {
      // kubectl asks again over SPDY for whatever reason it was refused, and shows the second answer.
      if (path.subresource !== 'portforward') containerName(pod, resolved.request.query.get('container'))
      throw ApiError.badRequest(`unable to upgrade: only WebSocket is spoken here, not ${call.headers['upgrade']}`)
    }
    const offered = request.headers['sec-websocket-protocol']
    if (offered) request.headers['sec-websocket-protocol'] = offered.replace(forwardProtocol, forwardStandIn)
    const accept = () =>
      new Promise<WebSocket>((resolve) => {
        sockets.handleUpgrade(request, socket, head, (webSocket) => resolve(webSocket))
      })
    if (path.subresource === 'portforward') forwardPorts(await accept(), parts.nodes(), pod, parts.report)
    else await runCommand(parts, resolved, pod, accept)
  }
}

/** What admission sees of a connection. */
const connections: Readonly<Record<string, string>> = {
  exec: 'PodExecOptions',
  attach: 'PodAttachOptions',
  portforward: 'PodPortForwardOptions',
}

async function admitConnect(parts: UpgradeParts, call: ResourceCall, kind: string): Promise<void> {
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

function isSet(query: URLSearchParams, name: string): boolean {
  return ['true', '1'].includes(query.get(name)?.toLowerCase() ?? '')
}

async function runCommand(parts: UpgradeParts, call: ResourceCall, pod: Pod, accept: () => Promise<WebSocket>): Promise<void> {
  const { query } = call.request
  const { namespace, name, subresource } = call.path
  const flag = (key: string) => isSet(query, key)
  const options: StreamOptions = {
    container: containerName(pod, query.get('container')),
    stdin: flag('stdin'),
    stdout: flag('stdout'),
    stderr: flag('stderr') && !flag('tty'),
    tty: flag('tty'),
  }
  const command = query.getAll('command')
  if (subresource === 'exec' && command.length === 0) throw ApiError.badRequest('you must specify at least one command')
  const early: { channel: number; data: Uint8Array }[] = []
  let deliver = (channel: number, data: Uint8Array) => {
    early.push({ channel, data })
  }
  let started: Process | undefined
  let failure: string | undefined
  try {
    started =
      subresource === 'exec'
        ? await parts.nodes().exec(namespace, name, { ...options, command })
        : await parts.nodes().attach(namespace, name, options)
    started.onOutput((stream, data) => deliver(channels[stream], data))
  } catch (error) {
    // What went wrong in the container itself is told on the connection, all else as the answer to the request.
    if (error instanceof ContainerError) failure = `error executing command in container: ${error.message}`
    else if (isApiError(error, 'InternalError')) failure = error.body.details?.causes?.[0]?.message ?? error.message
    else throw error
  }
  const socket = await accept()
  socket.on('error', (error) => parts.report(`${subresource} ${namespace}/${name}`, error))
  deliver = (channel, data) => {
    if (socket.readyState === socket.OPEN) socket.send(Buffer.concat([Uint8Array.of(channel), data]))
  }
  deliver(options.stdout ? channels.stdout : options.stderr ? channels.stderr : channels.error, new Uint8Array())
  for (const { channel, data } of early.splice(0)) deliver(channel, data)
  const finish = (status: unknown) => {
    deliver(channels.error, Buffer.from(JSON.stringify(status)))
    socket.close(1000)
  }
  if (!started) {
    const what = failure ?? ''
    finish({
      metadata: {},
      status: 'Failure',
      message: `Internal error occurred: ${what}`,
      reason: 'InternalError',
      details: { causes: [{ message: what }] },
      code: 500,
    })
    return
  }
  connectProcess(socket, started, subresource === 'attach', finish)
}

function connectProcess(socket: WebSocket, running: Process, attached: boolean, finish: (status: unknown) => void): void {
  socket.on('message', (message: Buffer) => {
    const channel = message[0]
    const data = message.subarray(1)
    if (channel === channels.stdin && data.length > 0) running.write(data)
    else if (channel === channels.close && data[0] === channels.stdin) running.closeStdin()
    else if (channel === channels.resize && data.length > 0) {
      const { Width, Height } = JSON.parse(data.toString()) as { Width: number; Height: number }
      running.resize(Width, Height)
    }
  })
  socket.on('close', () => {
    // The main process outlives those who look on; a command's ends when nobody listens.
    if (!attached) running.kill('SIGHUP')
  })
  running.exited.then(({ exitCode }) => finish(exitStatus(exitCode)))
}

/** What clients read from the error channel. */
function exitStatus(exitCode: number): unknown {
  if (exitCode === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  }
}
