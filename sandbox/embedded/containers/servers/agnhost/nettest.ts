import { sortedJson } from '../../../machinery/sorted-json.ts'
import { NetworkError } from '../../../network/network.ts'
import { TlsError } from '../../../network/tls.ts'
import type { Endpoints } from '../../../schema/types/core.v1.ts'
import { command } from '../../go/flags.ts'
import { GoHttpError, goFetch, goServe } from '../../go/http.ts'
import { logFatal } from '../../go/log.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import { type Process, TimeoutFault } from '../../kernel/process.ts'
import { Errno } from '../../vfs/errno.ts'
import { answer } from '../http.ts'
import { getWithToken, inClusterConfig } from './in-cluster.ts'

/** What /read shows. */
interface State {
  Hostname: string
  Sent: Record<string, number> | null
  Received: Record<string, number> | null
  Errors: string[] | null
  Log: string[] | null
  StillContactingPeers: boolean
}

const longestLog = 500
const rounds = 15

/** Writes to every pod of a Service and counts who has written to it. */
export const nettest = command({
  short: 'Starts a tiny web server for checking networking connectivity',
  flags: { port: 8080, peers: 8, service: 'nettest', namespace: 'default', 'delay-shutdown': 0 },
  args: 0,
  async run(process, flags) {
    if (flags.service === '') return logFatal(process, 'Must provide -service flag.')
    dieOfSignals(process)
    if (flags['delay-shutdown'] > 0) {
      process.trap('TERM', () => process.machine.after(flags['delay-shutdown'] * 1000, () => process.end({ code: 0 })))
    }
    const fresh: State = {
      Hostname: process.machine.hostname,
      Sent: null,
      Received: null,
      Errors: null,
      Log: null,
      StillContactingPeers: true,
    }
    const state = process.resume<State>() ?? fresh
    process.save(state)
    const count = (of: Record<string, number> | null) => Object.keys(of ?? {}).length
    const failed = await goServe(process, flags.port, {
      '/quit': () => {
        process.end({ code: 0 })
        return answer(200, '')
      },
      '/read': () => answer(200, sortedJson(state, '\t')),
      '/write': ({ body }) => {
        const source = sourceOf(state, new TextDecoder().decode(body))
        if (source !== undefined) state.Received = counted(state.Received, source)
        return answer(200, `${sortedJson({ Hostname: state.Hostname })}\n`)
      },
      '/status': () => {
        const passed = count(state.Sent) >= flags.peers && count(state.Received) >= flags.peers
        return answer(200, passed ? 'pass' : state.StillContactingPeers ? 'running' : 'fail')
      },
    })
    if (failed !== undefined) return failed
    await contactOthers(process, state, flags)
    return forever(process)
  },
})

async function contactOthers(process: Process, state: State, flags: { peers: number; service: string; namespace: string }): Promise<void> {
  const pause = Math.max(5000, Math.floor(flags.peers / 10) * 1000)
  const patience = Math.max(300_000, flags.peers * 1000)
  const start = process.machine.now()
  for (let found: string[] = []; found.length < flags.peers && process.machine.now() - start < patience; await process.sleep(pause)) {
    found = await endpointsOf(process, state, flags)
    log(
      state,
      `${flags.namespace}/${flags.service} has ${found.length} endpoints ([${found.join(' ')}]), which is less than ${flags.peers} as expected.`,
    )
  }
  for (let round = 0; round < rounds; round++) {
    for (const endpoint of await endpointsOf(process, state, flags)) await contact(process, state, endpoint)
    await process.sleep(pause)
  }
  state.StillContactingPeers = false
}

async function endpointsOf(
  process: Process,
  state: State,
  { service, namespace }: { service: string; namespace: string },
): Promise<string[]> {
  try {
    const config = await inClusterConfig(process)
    const response = await getWithToken(process, `${config.server}/api/v1/namespaces/${namespace}/endpoints/${service}`, config)
    const text = new TextDecoder().decode(response.body)
    if (response.status !== 200) throw new GoHttpError((JSON.parse(text) as { message?: string }).message ?? text)
    const { subsets = [] } = JSON.parse(text) as Endpoints
    return subsets.flatMap(({ addresses = [], ports = [] }) =>
      addresses.flatMap(({ ip }) => ports.map(({ port }) => `http://${ip}:${port}`)),
    )
  } catch (error) {
    const expected = [NetworkError, TlsError, TimeoutFault, GoHttpError, Errno].some((kind) => error instanceof kind)
    if (process.ended || !(error instanceof Error) || (!expected && error.constructor !== Error)) throw error
    log(state, `Unable to read the endpoints for ${namespace}/${service}: ${error.message}.`)
    return []
  }
}

async function contact(process: Process, state: State, endpoint: string): Promise<void> {
  log(state, `Attempting to contact ${endpoint}`)
  try {
    const body = sortedJson({ Dest: endpoint, Source: state.Hostname })
    const response = await goFetch(process, `${endpoint}/write`, { method: 'POST', body, contentType: 'application/json' })
    const { Hostname } = JSON.parse(new TextDecoder().decode(response.body)) as { Hostname: string }
    state.Sent = counted(state.Sent, Hostname)
  } catch (error) {
    if (process.ended || !(error instanceof GoHttpError || error instanceof SyntaxError)) throw error
    log(state, `Warning: unable to contact the endpoint "${endpoint}": ${error.message}`)
  }
}

function sourceOf(state: State, body: string): string | undefined {
  const complain = (text: string) => {
    state.Errors = [...(state.Errors ?? []), text]
  }
  try {
    const { Source } = JSON.parse(body) as { Source?: string }
    if (Source) return Source
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error))
  }
  complain(`${state.Hostname}: Got request with no source`)
  return undefined
}

function counted(counts: Record<string, number> | null, name: string): Record<string, number> {
  return { ...counts, [name]: (counts?.[name] ?? 0) + 1 }
}

function log(state: State, text: string): void {
  state.Log = [...(state.Log ?? []), text].slice(-longestLog)
}
