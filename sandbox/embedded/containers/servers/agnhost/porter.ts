import { sortedJson } from '../../../machinery/sorted-json.ts'
import { pathError } from '../../go/errors.ts'
import { command } from '../../go/flags.ts'
import { type GoHandler, goServe } from '../../go/http.ts'
import { logPrint } from '../../go/log.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { Errno } from '../../vfs/errno.ts'
import { answer } from '../http.ts'

/** Serves what the variables SERVE_PORT_n, SERVE_TLS_PORT_n and SERVE_SCTP_PORT_n hold, each on its port. */
export const porter = command({
  short: 'Serves requested data on ports specified in ENV variables',
  flags: { 'json-response': false },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    for (const [name, value] of process.env) {
      const match = /^SERVE_((?:TLS_|SCTP_)?)PORT_(.*)$/.exec(name)
      if (!match) continue
      const port = Number(match[2])
      const respond: GoHandler = ({ method }) =>
        flags['json-response']
          ? answer(200, sortedJson({ Method: method, Body: value }), { 'Content-Type': 'application/json' })
          : answer(200, value)
      if (match[1] === 'SCTP_') serveSctp(process, port, value)
      else if (match[1] === 'TLS_') await serveTls(process, port, respond)
      else await goServe(process, port, respond)
    }
    return forever(process)
  },
})

async function serveTls(process: Process, port: number, respond: GoHandler): Promise<void> {
  const certificateFile = process.env.get('CERT_FILE') || 'localhost.crt'
  const keyFile = process.env.get('KEY_FILE') || 'localhost.key'
  const read = async (path: string) => new TextDecoder().decode(await process.readWhole(path))
  try {
    await goServe(process, port, respond, { tls: { certificate: await read(certificateFile), key: await read(keyFile) } })
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    await logPrint(
      process,
      `tls server on port "${port}" with certFile="${certificateFile}", keyFile="${keyFile}" failed: ${pathError('open', certificateFile, error)}`,
    )
  }
}

function serveSctp(process: Process, port: number, value: string): void {
  const accept = (connection: { write: (data: Uint8Array) => void; end: () => void }) => {
    connection.write(new TextEncoder().encode(value))
    connection.end()
  }
  const listener = process.machine.network.listen(port, { accept }, '', 'SCTP')
  process.onEnd(() => listener[Symbol.dispose]())
}
