import { ContainerError, type Process } from '../../containers/runtime.ts'
import { ApiError, isApiError } from '../../machinery/errors.ts'
import type { NodeApi, StreamOptions } from '../../machinery/node-api.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { ResourceCall } from '../call.ts'
import { containerName } from './container-name.ts'

/** A client's side of exec or attach, whatever carries it. */
export interface CommandStreams {
  write(stream: 'stdout' | 'stderr', data: Uint8Array): void
  /** How it came out, and the end of the connection. */
  finish(status: CommandStatus): void
  listen(listener: CommandListener): void
}

export interface CommandListener {
  stdin(data: Uint8Array): void
  closeStdin(): void
  resize(cols: number, rows: number): void
  /** The client is gone. */
  close(): void
}

/** What clients read from the error stream. */
export interface CommandStatus {
  metadata: object
  status: 'Success' | 'Failure'
  message?: string
  reason?: string
  details?: { causes: { reason?: string; message: string }[] }
  code?: number
}

export interface CommandRequest {
  options: StreamOptions & { container: string }
  command: string[]
}

/** What an exec or attach request asks for. Throws ApiError. */
export function commandRequest(call: ResourceCall, pod: Pod): CommandRequest {
  const { query } = call.request
  const flag = (key: string) => isSet(query, key)
  const options = {
    container: containerName(pod, query.get('container')),
    stdin: flag('stdin'),
    stdout: flag('stdout'),
    stderr: flag('stderr') && !flag('tty'),
    tty: flag('tty'),
  }
  const command = query.getAll('command')
  if (call.path.subresource === 'exec' && command.length === 0) throw ApiError.badRequest('you must specify at least one command')
  return { options, command }
}

export function isSet(query: URLSearchParams, name: string): boolean {
  return ['true', '1'].includes(query.get(name)?.toLowerCase() ?? '')
}

/** Starts the command, then takes the client's connection and joins both. Rejects with ApiError before it is taken. */
export async function runCommand(
  nodes: NodeApi,
  call: ResourceCall,
  { options, command }: CommandRequest,
  accept: () => Promise<CommandStreams>,
): Promise<void> {
  const { namespace, name, subresource } = call.path
  const early: ['stdout' | 'stderr', Uint8Array][] = []
  let deliver = (stream: 'stdout' | 'stderr', data: Uint8Array) => void early.push([stream, data])
  let running: Process | undefined
  let failure: string | undefined
  try {
    running =
      subresource === 'exec' ? await nodes.exec(namespace, name, { ...options, command }) : await nodes.attach(namespace, name, options)
    running.onOutput((stream, data) => deliver(stream, data))
  } catch (error) {
    // What went wrong in the container itself is told on the connection, all else as the answer to the request.
    if (error instanceof ContainerError) failure = `error executing command in container: ${error.message}`
    else if (isApiError(error, 'InternalError')) failure = error.body.details?.causes?.[0]?.message ?? error.message
    else throw error
  }
  const streams = await accept()
  const wanted = { stdout: options.stdout, stderr: options.stderr }
  deliver = (stream, data) => {
    if (wanted[stream]) streams.write(stream, data)
  }
  for (const [stream, data] of early.splice(0)) deliver(stream, data)
  if (!running) {
    const message = failure ?? ''
    const causes = [{ message }]
    streams.finish({
      metadata: {},
      status: 'Failure',
      message: `Internal error occurred: ${message}`,
      reason: 'InternalError',
      details: { causes },
      code: 500,
    })
    return
  }
  const started = running
  streams.listen({
    stdin: (data) => started.write(data),
    closeStdin: () => started.closeStdin(),
    resize: (cols, rows) => started.resize(cols, rows),
    // The main process outlives those who look on; a command's ends when nobody listens.
    close: () => {
      if (subresource === 'exec') started.kill('SIGHUP')
    },
  })
  // An attached stream that ends has served; how the container ended is in the pod's status.
  void started.exited.then(({ exitCode }) => streams.finish(exitStatus(subresource === 'exec' ? exitCode : 0)))
}

function exitStatus(exitCode: number): CommandStatus {
  if (exitCode === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  }
}
