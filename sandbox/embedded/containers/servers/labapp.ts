import type { HttpRequest, HttpResponse } from '../../network/network.ts'
import type { Process, Program } from '../kernel/process.ts'
import { answer, combinedLog, listenHttp } from './http.ts'

/**
 * The training image's program. HTTP on 8080 after BOOT_S seconds; /healthz answers 200 until POST /break, then 500;
 * /ready 200 while the file /tmp/ready exists (made once booted); /deep 200 if DEP_URL answers; / tells version and
 * hostname. On SIGTERM it works DRAIN_S seconds more while it goes on serving, logs `drained` and exits 0.
 */
export const labapp: Program = { run, memoryBytes: 14 * 1024 * 1024 }

interface State {
  /** Cluster ms from which it listens. */
  bootsAt: number
  booted: boolean
  broken: boolean
  /** Cluster ms at which draining ends. */
  drainsAt?: number
}

async function run(process: Process): Promise<number> {
  const { machine } = process
  const version = process.env.get('VERSION') ?? 'v1'
  const port = Number(process.env.get('PORT') ?? 8080)
  const state: State = process.resume<State>() ?? { bootsAt: machine.now() + seconds(process, 'BOOT_S'), booted: false, broken: false }
  const keep = () => process.save(state)
  let stop = (): void => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  process.trap('TERM', () => {
    if (state.drainsAt !== undefined) return
    state.drainsAt = machine.now() + seconds(process, 'DRAIN_S')
    keep()
    stop()
  })
  process.trap('INT', () => process.end({ code: 130, signal: 'INT' }))
  const log = (text: string) => process.print(`${new Date(machine.now()).toISOString()} ${text}\n`)
  if (!state.booted) {
    keep()
    await log(`labapp ${version} starting, listens on :${port} in ${Math.round((state.bootsAt - machine.now()) / 1000)} s`)
    const ended = await Promise.race([stopped.then(() => true), process.sleep(state.bootsAt - machine.now()).then(() => false)])
    if (!ended) {
      process.fs.write('/tmp/ready', '', process.who)
      state.booted = true
      keep()
      await log(`listening on :${port}`)
    }
  }
  if (state.booted) {
    listenHttp(process, port, async (request, peer) => {
      const response = await handle(process, state, version, request)
      if (request.method === 'POST' && request.path === '/break') keep()
      await process.print(combinedLog(machine.now(), request, peer, response))
      return response
    })
  }
  if (state.drainsAt === undefined) await process.block<void>((resolve) => void stopped.then(resolve))
  await log('SIGTERM received, draining')
  await process.sleep((state.drainsAt ?? 0) - machine.now())
  await process.print('drained\n')
  return 0
}

async function handle(process: Process, state: State, version: string, request: HttpRequest): Promise<HttpResponse> {
  const [path] = request.path.split('?')
  switch (path) {
    case '/': {
      const greeting = process.env.get('GREETING')
      return answer(200, `${greeting ? `${greeting}\n` : ''}labapp ${version} on ${process.machine.hostname}\n`)
    }
    case '/healthz':
      return state.broken ? answer(500, 'broken\n') : answer(200, 'ok\n')
    case '/ready':
      return process.fs.find('/tmp/ready', process.who) ? answer(200, 'ready\n') : answer(503, 'not ready\n')
    case '/deep':
      return deep(process)
    case '/version':
      return answer(200, `${version}\n`)
    case '/break':
      if (request.method !== 'POST') return answer(405, 'POST breaks it\n', { Allow: 'POST' })
      state.broken = true
      return answer(200, 'broken from now on\n')
    default:
      return answer(404, 'not found\n')
  }
}

async function deep(process: Process): Promise<HttpResponse> {
  const target = process.env.get('DEP_URL')
  if (!target) return answer(503, 'DEP_URL is not set\n')
  let url: URL
  try {
    url = new URL(target)
  } catch {
    return answer(503, `DEP_URL ${target} is not a URL\n`)
  }
  try {
    const request = {
      method: 'GET',
      path: url.pathname + url.search,
      headers: { Host: url.host, 'User-Agent': 'labapp' },
      body: new Uint8Array(0),
    }
    const response = await process.within(2000, (signal) =>
      process.machine.network.http(url.hostname, Number(url.port || 80), request, signal),
    )
    if (response.status < 400) return answer(200, 'dependency ok\n')
    return answer(503, `dependency answered ${response.status}\n`)
  } catch (error) {
    if (process.ended) throw error
    return answer(503, `dependency failed: ${error instanceof Error ? error.message : String(error)}\n`)
  }
}

function seconds(process: Process, name: string): number {
  const value = Number(process.env.get(name) ?? 0)
  return Number.isFinite(value) && value > 0 ? value * 1000 : 0
}
