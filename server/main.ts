import process from 'node:process'
import { ConfigError, readConfig } from './config.ts'
import { captureConsole, createLog } from './log.ts'
import { openPages } from './pages.ts'
import { openSandboxes } from './sandboxes.ts'
import { startServer } from './server.ts'

/** Ctrl-C reaches this process from the terminal and again from npm; that is one wish, not two. ms */
const sameWish = 1_000

await main()

/** Starts Labernetes and runs it until a signal comes. Exit code 1 when it cannot be started, with the reason in a sentence. */
async function main(): Promise<void> {
  process.env['NEXT_TELEMETRY_DISABLED'] = '1'
  Reflect.set(process.env, 'NODE_ENV', 'production')
  try {
    const config = readConfig(process.env)
    const log = createLog(config.LOG_LEVEL)
    captureConsole(log)
    process.on('unhandledRejection', (error) => log.error({ err: error }, 'a promise was rejected that nobody waited for'))
    const stopped = Promise.withResolvers<string>()
    let asked = 0
    const ask = (signal: NodeJS.Signals) => {
      if (asked && performance.now() - asked > sameWish) process.exit(130)
      asked ||= performance.now()
      stopped.resolve(signal)
    }
    process.on('SIGINT', ask)
    process.on('SIGTERM', ask)
    // npm start is gone without a word: nobody is left who would stop this process.
    process.on('disconnect', () => stopped.resolve('disconnect'))
    const server = await startServer(config, log, { openSandboxes, openPages })
    if (server.firstRunLink) process.stdout.write(`Become the first administrator: ${server.firstRunLink}\n`)
    process.stdout.write(`Labernetes ready: ${server.url}\n`)
    log.debug({ reason: await stopped.promise }, 'stopping')
    await server[Symbol.asyncDispose]()
    process.exit(0)
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    process.exit(1)
  }
}

/** A sentence where the fault is the operator's to mend, everything we know where it is ours. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.message
  if (!(error instanceof Error)) return String(error)
  return process.env['LOG_LEVEL'] === 'debug' ? (error.stack ?? error.message) : `Labernetes cannot start: ${error.message}`
}
