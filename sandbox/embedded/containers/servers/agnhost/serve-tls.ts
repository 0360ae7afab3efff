import { createSecureContext } from 'node:tls'
import { NetworkError } from '../../../network/network.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { answer, type Handler, listenHttp } from '../http.ts'

/** The flags of the subcommands that serve HTTPS. */
export const tlsFlags = { 'tls-cert-file': '', 'tls-private-key-file': '', port: 443 }

/** Go's answer to who speaks plain HTTP at an HTTPS port. */
const plain = answer(400, 'Client sent an HTTP request to an HTTPS server.\n', { Connection: 'close' })

/** Serves HTTPS until the process ends. Resolves with an exit code when it cannot begin. */
export async function serveTls(process: Process, flags: typeof tlsFlags, handler: Handler): Promise<number> {
  dieOfSignals(process)
  try {
    const certificate = Buffer.from(await process.readWhole(flags['tls-cert-file'])).toString()
    const key = Buffer.from(await process.readWhole(flags['tls-private-key-file'])).toString()
    createSecureContext({ cert: certificate, key })
    listenHttp(process, flags.port, handler, { tls: { certificate, key, plain } })
  } catch (error) {
    if (process.ended) throw error
    const why = error instanceof NetworkError ? `listen tcp :${flags.port}: bind: address already in use` : (error as Error).message
    await process.complain(`panic: ${why}\n`)
    return 2
  }
  return forever(process)
}

/** An answer in JSON. */
export function json(body: unknown) {
  return answer(200, JSON.stringify(body), { 'Content-Type': 'application/json' })
}
