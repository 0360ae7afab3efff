import { NetworkError, type Protocol } from '../../../network/network.ts'
import { command } from '../../go/flags.ts'
import { dialError } from '../../go/http.ts'
import { dieOfSignals } from '../../go/signals.ts'
import { type Process, TimeoutFault } from '../../kernel/process.ts'
import { exchange } from './datagrams.ts'

/** Opens a TCP, UDP or SCTP connection and says in one word what went wrong. */
export const connect = command({
  short: 'Attempts a TCP, UDP or SCTP connection and returns useful errors',
  flags: { timeout: { duration: 0 }, protocol: 'tcp', 'udp-data': 'hostname', 'sctp-data': 'hostname' },
  args: 1,
  async run(process, flags, [destination = '']) {
    dieOfSignals(process)
    const match = /^(.*):([^:]*)$/.exec(destination)
    if (!match) return tell(process, `UNKNOWN: address ${destination}: missing port in address`)
    const host = (match[1] as string).replace(/^\[|\]$/g, '')
    const port = Number(match[2])
    const limit = flags.timeout || Number.POSITIVE_INFINITY
    let ip: string
    try {
      ip = await process.until(() => process.machine.network.lookup(host))
    } catch (error) {
      if (process.ended || !(error instanceof NetworkError)) throw error
      return tell(process, `DNS: lookup ${host}: no such host`)
    }
    try {
      switch (flags.protocol) {
        case '':
        case 'tcp': {
          const connection = await process.within(limit, (signal) => process.machine.network.connect(ip, port, signal))
          connection[Symbol.dispose]()
          return 0
        }
        case 'udp':
        case 'sctp': {
          const data = flags.protocol === 'udp' ? flags['udp-data'] : flags['sctp-data']
          await exchange(process, ip, port, `${data}\n`, flags.protocol.toUpperCase() as Protocol, limit)
          return 0
        }
        default:
          return tell(process, `Unsupported protocol\n${flags.protocol}`)
      }
    } catch (error) {
      if (process.ended) throw error
      const late = error instanceof TimeoutFault || (error instanceof NetworkError && error.code === 'ETIMEDOUT')
      const why = dialError(error, { host: ip, port }, flags.protocol || 'tcp')
      if (flags.protocol === 'udp') return tell(process, late ? `TIMEOUT: read udp ${ip}:${port}: i/o timeout` : `REFUSED: ${why}`)
      if (late) return tell(process, 'TIMEOUT')
      if (error instanceof NetworkError && error.code === 'ECONNREFUSED' && flags.protocol !== 'sctp') return tell(process, 'REFUSED')
      return tell(process, `OTHER: ${why}`)
    }
  },
})

async function tell(process: Process, text: string): Promise<number> {
  await process.complain(`${text}\n`)
  return 1
}
