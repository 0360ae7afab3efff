import { type Connection, NetworkError } from '../../../network/network.ts'
import { command } from '../../go/flags.ts'
import { dialError, goServe, httpError } from '../../go/http.ts'
import { logFatal, logPrint } from '../../go/log.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { answer } from '../http.ts'

interface Options {
  LocalAddr?: string
  RemoteAddr?: string
  TimeoutSeconds?: number
  PostFinTimeoutSeconds?: number
  LeakConnection?: boolean
}

type Runner = (process: Process, options: Options, log: (text: string) => void) => Promise<void>

const runners: Record<string, Runner> = { 'nat-closewait-client': closeWaitClient, 'nat-closewait-server': closeWaitServer }

/** Half-closed connections, to see what address translation makes of them. */
export const net = command({
  short: 'Creates webserver or runner for various networking tests',
  flags: { serve: '', runner: '', options: '', 'delay-shutdown': 0 },
  args: 0,
  async run(process, flags) {
    if (flags.runner === '' && flags.serve === '') return logFatal(process, 'Must set either --runner or --serve, see --help')
    dieOfSignals(process)
    if (flags['delay-shutdown'] > 0) {
      process.trap('TERM', () => {
        void logPrint(process, `Sleeping ${flags['delay-shutdown']} seconds before terminating...`)
        process.machine.after(flags['delay-shutdown'] * 1000, () => process.end({ code: 0 }))
      })
    }
    if (flags.serve === '') {
      const { output, error } = await execute(process, flags.runner, flags.options)
      if (error !== undefined) await logPrint(process, `Error: ${error}`)
      await process.print(`output:\n\n${output}`)
      return error === undefined ? 0 : 1
    }
    const [, host = '', port = '0'] = /^(.*):(\d+)$/.exec(flags.serve) ?? []
    await logPrint(process, `Running server on ${flags.serve}`)
    const failed = await goServe(
      process,
      Number(port),
      {
        '/run/': async ({ path, body }) => {
          const parts = path.split('/')
          if (parts.length !== 3) return httpError(`invalid request to run: [${parts.join(' ')}]`, 400)
          if (body.length === 0) return httpError('Missing request body', 400)
          const { output, error } = await execute(process, parts[2] as string, new TextDecoder().decode(body))
          if (error !== undefined) return httpError(`Error from runner: ${error}\noutput:\n\n${output}`, 500)
          return answer(200, `ok\noutput:\n\n${output}`)
        },
      },
      { host },
    )
    return failed ?? forever(process)
  },
})

async function execute(process: Process, name: string, text: string): Promise<{ output: string; error?: string }> {
  const runner = runners[name]
  if (!runner) return { output: '', error: "Invalid runner: '<nil>', see --help" }
  let options: Options
  try {
    options = JSON.parse(text) as Options
  } catch (error) {
    return { output: '', error: `Invalid options JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
  const lines: string[] = []
  try {
    await runner(process, options, (line) => lines.push(`# closewait.go: ${line}\n`))
    return { output: lines.join('') }
  } catch (error) {
    if (process.ended || !(error instanceof Error)) throw error
    const [host = '', port = ''] = (options.RemoteAddr ?? options.LocalAddr ?? '').split(':')
    const why = error instanceof NetworkError ? dialError(error, { host, port: Number(port) }) : error.message
    return { output: lines.join(''), error: why }
  }
}

/** Takes one connection, closes its own half and waits. */
async function closeWaitServer(process: Process, options: Options, log: (text: string) => void): Promise<void> {
  const [, host = '', port = '0'] = /^(.*):(\d+)$/.exec(options.LocalAddr ?? '') ?? []
  let listener: Disposable | undefined
  try {
    const connection = await process.block<Connection>((resolve) => {
      listener = process.machine.network.listen(Number(port), { accept: resolve }, host)
      log(`Server listening on ${options.LocalAddr}`)
    })
    log('Client connected')
    connection.end()
    const wait = options.PostFinTimeoutSeconds ?? 0
    log(`Server sent FIN, waiting ${wait} seconds`)
    await process.sleep(wait * 1000)
    connection[Symbol.dispose]()
    log('Done')
  } finally {
    listener?.[Symbol.dispose]()
  }
}

/** Connects, waits for the server's end and keeps its own half open. */
async function closeWaitClient(process: Process, options: Options, log: (text: string) => void): Promise<void> {
  const [, host = '', port = '0'] = /^(.*):(\d+)$/.exec(options.RemoteAddr ?? '') ?? []
  const connection = await process.until((signal) => process.machine.network.connect(host, Number(port), signal))
  log('Connected to server')
  const limit = options.TimeoutSeconds ? options.TimeoutSeconds * 1000 : Number.POSITIVE_INFINITY
  const data = await process.within(
    limit,
    () =>
      new Promise<boolean>((resolve) => {
        connection.onData(() => resolve(true))
        connection.onEnd(() => resolve(false))
      }),
  )
  if (data) throw new Error('Got data but expected EOF')
  const wait = options.PostFinTimeoutSeconds ?? 0
  log(`Server has half-closed the connection, waiting ${wait} seconds`)
  if (options.LeakConnection) log('Leaking client connection (assigning to global variable)')
  await process.sleep(wait * 1000)
  if (!options.LeakConnection) connection[Symbol.dispose]()
  log('Done')
}
