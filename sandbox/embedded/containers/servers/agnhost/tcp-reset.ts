import { command } from '../../go/flags.ts'
import { logPrint } from '../../go/log.ts'

/** Breaks every connection with the first byte it hears. */
export const tcpReset = command({
  short: 'Serves on a tcp port and RST the connections received',
  flags: { port: 8080 },
  args: 0,
  async run(process, flags) {
    const listener = process.machine.network.listen(flags.port, {
      accept: (connection) => {
        connection.onData(() => {
          connection[Symbol.dispose]()
          void logPrint(process, `TCP request from ${connection.remote.ip}:${connection.remote.port}`)
        })
      },
    })
    process.onEnd(() => listener[Symbol.dispose]())
    let terminate = (): void => {}
    const terminated = new Promise<void>((resolve) => {
      terminate = resolve
    })
    process.trap('TERM', terminate)
    await logPrint(process, `Serving on port ${flags.port}.`)
    await process.until(() => terminated)
    await logPrint(process, 'Shutting down after receiving signal: terminated.')
    await logPrint(process, 'Awaiting pod deletion.')
    return 0
  },
})
