import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import type { Logger } from 'pino'
import type { WebSocket } from 'ws'
import packageJson from '../package.json' with { type: 'json' }
import { decide } from '../platform/authorise.ts'
import { openDatabase } from '../platform/database.ts'
import { openFileEvidenceStore } from '../platform/evidence-store.ts'
import { openPlatform, type Platform } from '../platform/platform.ts'
import type { SandboxHost } from '../platform/sandbox-host.ts'
import { provideServices, type Services } from '../platform/services.ts'
import type { TerminalGrant } from '../platform/tickets.ts'
import { type Config, publicUrlOf } from './config.ts'
import { openDataFolder } from './data-folder.ts'
import { machineFacts } from './machine-facts.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import type { Pages } from './pages.ts'
import { admit, isLocal, protect, refuse } from './requests.ts'
import { acceptSockets } from './websocket.ts'

/** The sandboxes of this process, and the labs that can be started in them. Disposing leaves them for the next process to adopt. */
export interface Sandboxes extends AsyncDisposable {
  host: SandboxHost
  labs: Services['labs']
  /** Serves one accepted WebSocket; `redeem` turns the ticket of its first message into leave, or rejects with PlatformError. */
  serveTerminal(socket: WebSocket, redeem: (ticket: string) => Promise<TerminalGrant>): void
}

/** What the server is put together from; tests put in others. */
export interface Parts {
  openSandboxes(config: Config, log: Logger): Promise<Sandboxes>
  openPages(hostname: string, port: number): Promise<Pages>
}

export interface RunningServer extends AsyncDisposable {
  /** http://127.0.0.1:3000 */
  url: string
  /** Makes whoever opens it the first administrator; null when there is one. The token stands behind #, where no server logs it. */
  firstRunLink: string | null
}

/** ms */
const keepLeasesEvery = 5_000
const drainFor = 1_000

/**
 * Starts everything in order: port, data folder, database, sandboxes, platform, pages. Until all are there requests are
 * answered with 503. On failure what was started is ended again. Disposing ends it in the opposite order.
 */
export async function startServer(config: Config, log: Logger, parts: Parts): Promise<RunningServer> {
  await using cleanup = new AsyncDisposableStack()
  let status: 'starting' | 'ok' | 'stopping' = 'starting'
  let answer = (request: IncomingMessage, response: ServerResponse): Promise<void> | void => answerNotYet(request, response, status)
  let metrics: Metrics | null = null

  const server = createServer((request, response) => {
    const began = performance.now()
    response.once('close', () => {
      metrics?.request(request.method ?? '', response.statusCode, (performance.now() - began) / 1000)
      log.debug(
        {
          method: request.method,
          path: request.url?.split('?')[0],
          status: response.statusCode,
          ms: Math.round(performance.now() - began),
        },
        'request',
      )
    })
    const url = publicUrlOf(config, (server.address() as AddressInfo | null)?.port ?? config.PORT)
    protect(request, response, url)
    const refusal = admit(request, config)
    if (refusal) return refuse(response, refusal)
    Promise.resolve(answer(request, response)).catch((error: unknown) => {
      log.error({ err: error, path: request.url?.split('?')[0] }, 'a request could not be answered')
      if (response.headersSent) response.destroy()
      else refuse(response, { status: 500, sentence: 'Something went wrong on the server. It is in the log.' })
    })
  })
  await listen(server, config)
  cleanup.defer(() => drain(server))
  const port = (server.address() as AddressInfo).port
  const url = publicUrlOf(config, port)

  const folder = await openDataFolder(config.dataDir)
  const database = cleanup.use(await openDatabase({ url: config.DATABASE_URL, folder: path.join(config.dataDir, 'db'), log }))
  const sandboxes = cleanup.use(await parts.openSandboxes(config, log))
  const platform = cleanup.use(
    await openPlatform({
      queries: database.queries,
      evidence: openFileEvidenceStore(path.join(config.dataDir, 'evidence')),
      host: sandboxes.host,
      hostName: folder.hostName,
      labs: sandboxes.labs,
      limits: limitsOf(config),
      log,
      now: () => new Date(),
      secret: config.SECRET ?? folder.secret,
      publicUrl: url,
    }),
  )
  cleanup.use(repeat(keepLeasesEvery, platform.keepLeases, (error) => log.error({ err: error }, 'leases could not be kept')))

  const services: Services = {
    ...platform.services,
    labs: sandboxes.labs,
    health: async () => ({
      status,
      version: packageJson.version,
      engines: await sandboxes.host.engines(),
      sandboxes: await platform.sandboxes(),
    }),
    machine: machineFacts,
  }
  provideServices(services)
  const counted = createMetrics(platform.sandboxes)
  metrics = counted
  const sockets = acceptSockets(server, config, (socket) => {
    counted.terminalOpened()
    sandboxes.serveTerminal(socket, platform.redeemTicket)
  })

  const pages = cleanup.use(await parts.openPages(config.HOST, port))
  answer = (request, response) =>
    request.url?.split('?')[0] === '/metrics' ? answerMetrics(request, response, platform, counted) : pages.handle(request, response)
  status = 'ok'

  const owned = cleanup.move()
  return {
    url,
    firstRunLink: platform.firstRunToken && `${url}/first-run#${platform.firstRunToken}`,
    [Symbol.asyncDispose]: async () => {
      status = 'stopping'
      answer = (request, response) => answerNotYet(request, response, status)
      sockets.close()
      await drain(server)
      await owned.disposeAsync()
    },
  }
}

function limitsOf(config: Config) {
  const minute = 60_000
  return {
    timeToLive: config.SANDBOX_MINUTES * minute,
    idle: config.SANDBOX_IDLE_MINUTES * minute,
    extension: (config.SANDBOX_MINUTES * minute) / 2,
    extensions: config.SANDBOX_EXTENSIONS,
    clustersPerPerson: config.SANDBOXES_PER_PERSON,
    clustersPerHost: config.SANDBOX_LIMIT,
    perEngine: { kind: { perPerson: config.KIND_PER_PERSON, perHost: config.KIND_LIMIT } },
  }
}

async function answerMetrics(request: IncomingMessage, response: ServerResponse, platform: Platform, metrics: Metrics): Promise<void> {
  const headers = new Headers()
  if (request.headers.cookie) headers.set('cookie', request.headers.cookie)
  const decision = decide(await platform.services.people.current(headers), 'metrics.read', { local: isLocal(request) })
  if (!decision.allow) return refuse(response, { status: 403, sentence: 'Metrics are for administrators.' })
  response.writeHead(200, { 'content-type': metrics.registry.contentType })
  response.end(await metrics.registry.metrics())
}

function answerNotYet(request: IncomingMessage, response: ServerResponse, status: string): void {
  const isHealth = request.url?.split('?')[0] === '/api/health'
  response.writeHead(503, { 'content-type': 'application/json; charset=utf-8', 'retry-after': '2', connection: 'close' })
  response.end(
    JSON.stringify(
      isHealth
        ? { status, version: packageJson.version, engines: {}, sandboxes: 0 }
        : { error: { code: status, message: `The server is ${status}.` } },
    ),
  )
}

async function listen(server: ReturnType<typeof createServer>, config: Config): Promise<void> {
  server.listen(config.PORT, config.HOST)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw new Error(`Port ${config.PORT} on ${config.HOST} is taken. Set PORT to another one.`, { cause: error })
    if (code === 'EACCES')
      throw new Error(`Port ${config.PORT} may not be used without more rights. Set PORT to one above 1023.`, { cause: error })
    if (code === 'EADDRNOTAVAIL') throw new Error(`HOST ${config.HOST} is not an address of this machine.`, { cause: error })
    throw error
  }
}

/**
 * Takes no more connections, lets answers that are under way end for a
 * moment, then closes the rest (event streams never end by themselves).
 */
async function drain(server: ReturnType<typeof createServer>): Promise<void> {
  if (!server.listening) return
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  const patience = setTimeout(() => server.closeAllConnections(), drainFor)
  await closed
  clearTimeout(patience)
}

/** Runs `work` again and again, never twice at once, until disposed. */
function repeat(every: number, work: () => Promise<void>, onError: (error: unknown) => void): AsyncDisposable {
  let stopped = false
  let timer: NodeJS.Timeout
  let running = Promise.resolve()
  const next = () => {
    timer = setTimeout(() => {
      running = work()
        .catch(onError)
        .then(() => {
          if (!stopped) next()
        })
    }, every)
  }
  next()
  return {
    async [Symbol.asyncDispose]() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
