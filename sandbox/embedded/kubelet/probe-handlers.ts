import type { Clock } from '../clock.ts'
import { ContainerError, type Container as RuntimeContainer } from '../containers/runtime.ts'
import { type HttpRequest, type HttpResponse, NetworkError, type PodNetwork } from '../network/network.ts'
import { httpsRequest, TlsError } from '../network/tls.ts'
import type { Container, ExecAction, HTTPGetAction, Probe, TCPSocketAction } from '../schema/types/core.v1.ts'
import { goDuration } from './duration.ts'
import { grpcProbe } from './grpc-probe.ts'

/** `error` means that the probe could not be made: it counts neither way. */
export interface ProbeOutcome {
  result: 'success' | 'warning' | 'failure' | 'error'
  output: string
}

export interface ProbeTarget {
  clock: Clock
  /** The node's network: probes come from the kubelet. */
  network: PodNetwork
  podIP: string
  container: Container
  running: RuntimeContainer
}

/** Output of a probe's command that is kept, bytes. */
const longestOutput = 10 * 1024
const mostRedirects = 10

/** Makes one probe, with the words of the kubelet's events. Never rejects. */
export async function runProbe(target: ProbeTarget, probe: Probe): Promise<ProbeOutcome> {
  const timeout = (probe.timeoutSeconds ?? 1) * 1000
  if (probe.exec) return await execProbe(target, probe.exec, timeout)
  if (probe.httpGet) return await httpProbe(target, probe.httpGet, timeout)
  if (probe.tcpSocket) return await tcpProbe(target, probe.tcpSocket, timeout)
  if (probe.grpc) return await grpcProbe(target, probe.grpc, timeout)
  return { result: 'error', output: 'missing probe handler' }
}

export interface ExecOutcome {
  exitCode: number
  output: string
  timedOut: boolean
}

/** Runs a command in a container and collects what it prints. Rejects with ContainerError when it cannot be started. */
export async function runInContainer(
  clock: Clock,
  container: RuntimeContainer,
  command: readonly string[],
  timeout?: number,
  signal?: AbortSignal,
): Promise<ExecOutcome> {
  const process = await container.exec(command, { tty: false, stdin: false })
  let output = ''
  using _listening = process.onOutput((_stream, data) => {
    if (output.length < longestOutput) output = (output + Buffer.from(data).toString()).slice(0, longestOutput)
  })
  const outcome = await within(clock, timeout, process.exited, signal)
  if (outcome === 'late') {
    process.kill('SIGKILL')
    return { exitCode: -1, output, timedOut: true }
  }
  return { exitCode: outcome.exitCode, output, timedOut: false }
}

/** A port by number or by the container's name for it; undefined when it has none of this name. */
export function portOf(port: string | number, container: Container): number | undefined {
  if (typeof port === 'number') return port
  if (/^\d+$/.test(port)) return Number(port)
  return container.ports?.find(({ name }) => name === port)?.containerPort
}

async function execProbe({ clock, running }: ProbeTarget, action: ExecAction, timeout: number): Promise<ProbeOutcome> {
  const command = action.command ?? []
  try {
    const { exitCode, output, timedOut } = await runInContainer(clock, running, command, timeout)
    if (timedOut) {
      return { result: 'failure', output: `command timed out: ${JSON.stringify(command.join(' '))} timed out after ${goDuration(timeout)}` }
    }
    return { result: exitCode === 0 ? 'success' : 'failure', output }
  } catch (error) {
    if (!(error instanceof ContainerError)) throw error
    return { result: 'error', output: `rpc error: code = Unknown desc = ${error.message}` }
  }
}

async function httpProbe(target: ProbeTarget, action: HTTPGetAction, timeout: number): Promise<ProbeOutcome> {
  const { clock, container, podIP } = target
  const port = portOf(action.port, container)
  if (port === undefined) return noSuchPort(action.port)
  const scheme = (action.scheme ?? 'HTTP').toLowerCase()
  const first = new URL(action.path?.startsWith('/') ? action.path : `/${action.path ?? ''}`, `${scheme}://${action.host || podIP}:${port}`)
  let url = first
  using deadline = withDeadline(clock, timeout)
  for (let followed = 0; followed <= mostRedirects; followed++) {
    const shown = `${scheme}://${first.hostname}:${port}${url.pathname}${url.search}`
    try {
      const headers = requestHeaders(action, url)
      const request = { method: 'GET', path: url.pathname + url.search, headers, body: new Uint8Array() }
      const answer = await askOnce(target, url, request, deadline.signal)
      const location = headerOf(answer.headers, 'location')
      if (answer.status >= 300 && answer.status < 400 && location) {
        const next = new URL(location, url)
        if (next.hostname === first.hostname) {
          url = next
          continue
        }
      }
      const body = Buffer.from(answer.body).toString().slice(0, longestOutput)
      if (answer.status >= 300 && answer.status < 400) {
        return { result: 'warning', output: `Probe terminated redirects, Response body: ${body}` }
      }
      if (answer.status >= 200 && answer.status < 300) return { result: 'success', output: body }
      return { result: 'failure', output: `HTTP probe failed with statuscode: ${answer.status}` }
    } catch (error) {
      if (error instanceof TlsError && !deadline.signal.aborted) {
        const why = error.code === 'NOT_TLS' ? 'http: server gave HTTP response to HTTPS client' : 'EOF'
        return { result: 'failure', output: `Get "${shown}": ${why}` }
      }
      const why = deadline.signal.aborted
        ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        : dialFailure(error, url.hostname, Number(url.port || port))
      return { result: 'failure', output: `Get "${shown}": ${why}` }
    }
  }
  return { result: 'failure', output: `Get "${url.pathname}": stopped after ${mostRedirects} redirects` }
}

/** Certificates are not verified: a probe asks whether the container answers, not who it is. */
async function askOnce({ clock, network }: ProbeTarget, url: URL, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  if (url.protocol !== 'https:') return await network.http(url.hostname, Number(url.port || 80), request, signal)
  const port = Number(url.port || 443)
  const answer = await network.unverified?.(url.hostname, port, request, signal)
  if (answer) return answer
  const connection = await network.connect(url.hostname, port, signal)
  return await httpsRequest(clock, connection, request, { host: url.hostname, insecure: true }, signal)
}

async function tcpProbe(target: ProbeTarget, action: TCPSocketAction, timeout: number): Promise<ProbeOutcome> {
  const { clock, network, container, podIP } = target
  const port = portOf(action.port, container)
  if (port === undefined) return noSuchPort(action.port)
  const host = action.host || podIP
  using deadline = withDeadline(clock, timeout)
  try {
    const connection = await network.connect(host, port, deadline.signal)
    connection[Symbol.dispose]()
    return { result: 'success', output: '' }
  } catch (error) {
    const late = deadline.signal.aborted
    return { result: 'failure', output: late ? `dial tcp ${host}:${port}: i/o timeout` : dialFailure(error, host, port) }
  }
}

/** The kubelet looks a name up among the container's ports, and then tries it as a number. */
function noSuchPort(port: string | number): ProbeOutcome {
  return { result: 'error', output: `strconv.Atoi: parsing "${port}": invalid syntax` }
}

function requestHeaders(action: HTTPGetAction, url: URL): Record<string, string> {
  const headers: Record<string, string> = { host: url.host, 'user-agent': 'kube-probe/1.34', accept: '*/*', connection: 'close' }
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value
  if (headers['accept'] === '') delete headers['accept']
  return headers
}

function dialFailure(error: unknown, host: string, port: number): string {
  if (!(error instanceof NetworkError)) throw error
  switch (error.code) {
    case 'ECONNREFUSED':
      return `dial tcp ${host}:${port}: connect: connection refused`
    case 'EHOSTUNREACH':
      return `dial tcp ${host}:${port}: connect: no route to host`
    case 'ENETUNREACH':
      return `dial tcp ${host}:${port}: connect: network is unreachable`
    case 'ENOTFOUND':
      return `dial tcp: lookup ${host}: no such host`
    case 'ETIMEDOUT':
      return `dial tcp ${host}:${port}: connect: connection timed out`
    default:
      return 'EOF'
  }
}

function headerOf(headers: Record<string, string>, name: string): string | undefined {
  return Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1]
}

/** Aborts when so many ms of the cluster's time are over. */
export function withDeadline(clock: Clock, ms: number): Disposable & { signal: AbortSignal; over: Promise<void> } {
  const controller = new AbortController()
  const timer = clock.setTimeout(() => controller.abort(new Error('deadline exceeded')), ms)
  const over = new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve(), { once: true }))
  return { signal: controller.signal, over, [Symbol.dispose]: () => timer.cancel() }
}

async function within<T>(clock: Clock, ms: number | undefined, work: Promise<T>, signal?: AbortSignal): Promise<T | 'late'> {
  if (ms === undefined && !signal) return await work
  const cancel = new AbortController()
  const waits: Promise<T | 'late'>[] = [work]
  const stop = signal ? AbortSignal.any([signal, cancel.signal]) : cancel.signal
  // An abort ends the wait like the deadline does.
  waits.push(
    clock.sleep(ms ?? 2 ** 40, stop).then(
      () => 'late' as const,
      () => 'late' as const,
    ),
  )
  try {
    return await Promise.race(waits)
  } finally {
    cancel.abort()
  }
}
