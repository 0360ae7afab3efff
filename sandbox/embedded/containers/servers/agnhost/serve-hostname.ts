import { command } from '../../go/flags.ts'
import { goServe } from '../../go/http.ts'
import { logFatal, logPrint } from '../../go/log.ts'
import { answer } from '../http.ts'
import { answerDatagrams } from './datagrams.ts'

/** How long it serves on after SIGTERM, ms. */
const lingerMs = 60_000

/** Answers with the pod's name, over HTTP or raw over TCP or UDP. */
export const serveHostname = command({
  short: 'Serves the hostname',
  flags: { tcp: false, udp: false, http: true, close: false, port: 9376 },
  args: 0,
  async run(process, flags) {
    const { hostname, network } = process.machine
    if (flags.http && (flags.tcp || flags.udp)) return logFatal(process, "Can't server TCP/UDP mode and HTTP mode at the same time")
    let terminate = (): void => {}
    const terminated = new Promise<void>((resolve) => {
      terminate = resolve
    })
    process.trap('TERM', terminate)
    process.trap('INT', () => process.end({ code: 2 }))
    if (flags.tcp) {
      const listener = network.listen(flags.port, {
        accept: (connection) => {
          void logPrint(process, `TCP request from ${connection.remote.ip}:${connection.remote.port}`)
          connection.write(new TextEncoder().encode(hostname))
          connection.end()
        },
      })
      process.onEnd(() => listener[Symbol.dispose]())
    }
    if (flags.udp) {
      answerDatagrams(process, flags.port, 'UDP', (_text, peer) => {
        void logPrint(process, `UDP request from ${peer}`)
        return hostname
      })
    }
    if (flags.http) {
      const failed = await goServe(process, flags.port, async ({ peer }) => {
        await logPrint(process, `HTTP request from ${peer.ip}:${peer.port}`)
        return answer(200, hostname, flags.close ? { Connection: 'close' } : {})
      })
      if (failed !== undefined) return failed
    }
    await logPrint(process, `Serving on port ${flags.port}.`)
    await process.until(() => terminated)
    await logPrint(process, 'Shutting down after receiving signal: terminated.')
    await logPrint(process, 'Awaiting pod deletion.')
    await process.sleep(lingerMs)
    return 0
  },
})
