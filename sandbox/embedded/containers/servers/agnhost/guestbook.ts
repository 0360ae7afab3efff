import { sortedJson } from '../../../machinery/sorted-json.ts'
import { NetworkError } from '../../../network/network.ts'
import { command } from '../../go/flags.ts'
import { type GoHandler, GoHttpError, goFetch, goServe, httpError } from '../../go/http.ts'
import { logFatal, logPrint } from '../../go/log.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { answer } from '../http.ts'

interface State {
  store: Record<string, unknown>
  replicas: string[]
  registered: boolean
}

const callTimeout = 5000
const registerTimeout = 15_000

/** A primary that passes what is set on to the replicas that registered, and a front end for both. */
export const guestbook = command({
  short: 'Creates a HTTP server with various endpoints representing a guestbook app',
  flags: { 'http-port': '80', 'backend-port': '6379', replicaof: '' },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    const state = process.resume<State>() ?? { store: {}, replicas: [], registered: flags.replicaof === '' }
    process.save(state)
    const backend = Number(flags['backend-port'])
    const failed = await goServe(process, Number(flags['http-port']), {
      '/register': register(process, state),
      '/get': get(process, state),
      '/set': set(process, state, backend),
      '/guestbook': front(process, backend),
    })
    if (failed !== undefined) return failed
    if (!state.registered && !(await join(process, state, flags.replicaof, backend))) {
      return logFatal(process, 'Timed out while registering to primary.')
    }
    return forever(process)
  },
})

/** Registers with the primary and takes its entries; false when it does not answer in time. */
async function join(process: Process, state: State, primary: string, port: number): Promise<boolean> {
  const start = process.machine.now()
  while (process.machine.now() - start < registerTimeout) {
    const { network } = process.machine
    await logPrint(process, `Registering to primary: ${primary}:${port}/register?host=${network.ip}`)
    try {
      const response = await goFetch(process, `http://${primary}:${port}/register?host=${network.ip}`, { timeoutMs: callTimeout })
      const { data } = JSON.parse(new TextDecoder().decode(response.body)) as { data: Record<string, unknown> }
      state.store = data
      state.registered = true
      process.save(state)
      await logPrint(process, `Registered to node: ${primary}`)
      return true
    } catch (error) {
      if (process.ended || !(error instanceof GoHttpError)) throw error
      await logPrint(process, `encountered error while registering to primary: ${error.message}. Retrying in 1s.`)
      await process.sleep(1000)
    }
  }
  return false
}

function register(process: Process, state: State): GoHandler {
  return async ({ query }) => {
    const host = query.get('host') ?? ''
    await logPrint(process, `GET /register?host=${host}`)
    state.replicas.push(host)
    process.save(state)
    await logPrint(process, `Node '${host}' registered.`)
    return answer(200, sortedJson({ data: state.store }))
  }
}

function get(process: Process, state: State): GoHandler {
  return async ({ query }) => {
    const key = query.get('key') ?? ''
    await logPrint(process, `GET /get?key=${key}`)
    return answer(200, sortedJson({ data: key === '' ? state.store : (state.store[key] ?? '') }))
  }
}

function set(process: Process, state: State, port: number): GoHandler {
  return async ({ query }) => {
    const key = query.get('key') ?? ''
    const value = query.get('value') ?? ''
    await logPrint(process, `GET /set?key=${key}&value=${value}`)
    if (key === '') return httpError('cannot set with empty key.', 400)
    state.store[key] = value
    process.save(state)
    for (const replica of state.replicas) {
      try {
        await goFetch(process, `http://${replica}:${port}/set?key=${key}&value=${value}`, { timeoutMs: callTimeout })
      } catch (error) {
        if (process.ended || !(error instanceof GoHttpError)) throw error
        return httpError(`encountered error while propagating to replica '${replica}': ${error.message}`, 417)
      }
    }
    return answer(200, sortedJson({ message: 'Updated' }))
  }
}

function front(process: Process, port: number): GoHandler {
  return async ({ query }) => {
    const cmd = (query.get('cmd') ?? '').toLowerCase()
    const key = query.get('key') ?? ''
    const value = query.get('value') ?? ''
    await logPrint(process, `GET /guestbook?cmd=${cmd}&key=${key}&value=${value}`)
    if (cmd !== 'get' && cmd !== 'set') return httpError(`unsupported cmd: '${cmd}'`, 400)
    if (cmd === 'set' && key === '') return httpError('cannot set with empty key.', 400)
    const host = cmd === 'get' ? 'agnhost-replica' : 'agnhost-primary'
    try {
      await process.until(() => process.machine.network.lookup(host))
      const response = await goFetch(process, `http://${host}:${port}/${cmd}?key=${key}&value=${value}`, { timeoutMs: callTimeout })
      return answer(200, response.body)
    } catch (error) {
      if (process.ended) throw error
      if (error instanceof NetworkError) return httpError(`host and/or port param are invalid. lookup ${host}: no such host`, 400)
      if (error instanceof GoHttpError) return httpError(`encountered error: ${error.message}`, 417)
      throw error
    }
  }
}
