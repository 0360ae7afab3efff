import { type Connection, NetworkError } from '../../../network/network.ts'
import { command } from '../../go/flags.ts'
import { dieOfSignals } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'

/** Takes one connection, checks what the client says, sends chunks at intervals and closes. */
export const portForwardTester = command({
  short: 'Creates a TCP server that sends chunks of data',
  flags: {},
  args: 0,
  async run(process) {
    dieOfSignals(process)
    const connection = await accept(process)
    if (!connection) return 1
    await process.print('Accepted client connection\n')
    const expected = process.env.get('EXPECTED_CLIENT_DATA') ?? ''
    if (expected !== '') {
      const heard = await readExactly(process, connection, expected.length)
      if (heard.length !== expected.length) {
        await process.print(`Expected to read ${expected.length} bytes from client, but got ${heard.length} instead. err=EOF\n`)
        return 2
      }
      if (heard !== expected) {
        await process.print(`Expect to read "${expected}", but got "${heard}". err=<nil>\n`)
        return 3
      }
      await process.print('Received expected client data\n')
    }
    const [chunks, size, interval] = ['CHUNKS', 'CHUNK_SIZE', 'CHUNK_INTERVAL'].map((name) => Number(process.env.get(name) || Number.NaN))
    if ([chunks, size, interval].some((value) => value === undefined || !Number.isInteger(value))) {
      await process.print('Error parsing CHUNKS, CHUNK_SIZE or CHUNK_INTERVAL: invalid syntax\n')
      return 1
    }
    const data = new TextEncoder().encode('x'.repeat(size as number))
    for (let index = 0; index < (chunks as number); index++) {
      connection.write(data)
      if (index + 1 < (chunks as number)) await process.sleep(interval as number)
    }
    await process.print('Shutting down connection\n')
    connection.end()
    await process.sleep(lingerMs)
    await process.print('Done\n')
    return 0
  },
})

/** Time for the client to read the end before the socket goes. */
const lingerMs = 500

async function accept(process: Process): Promise<Connection | undefined> {
  const port = Number(process.env.get('BIND_PORT'))
  const host = process.env.get('BIND_ADDRESS') || 'localhost'
  try {
    return await process.block<Connection>((resolve) => {
      const listener = process.machine.network.listen(port, { accept: resolve }, host)
      process.onEnd(() => listener[Symbol.dispose]())
    })
  } catch (error) {
    if (process.ended || !(error instanceof NetworkError)) throw error
    await process.print(`Error listening: listen tcp ${host}:${port}: bind: address already in use\n`)
    return undefined
  }
}

/** Up to `length` bytes as text; fewer when the client ends first. */
function readExactly(process: Process, connection: Connection, length: number): Promise<string> {
  return process.block<string>((resolve) => {
    let heard = ''
    connection.onData((data) => {
      heard += new TextDecoder('latin1').decode(data)
      if (heard.length >= length) resolve(heard.slice(0, length))
    })
    connection.onEnd(() => resolve(heard))
  })
}
