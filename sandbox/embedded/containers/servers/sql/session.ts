import { NetworkError } from '../../../network/network.ts'
import type { Process } from '../../kernel/process.ts'
import type { Answer, Question } from './server.ts'

/** A client's connection to a server of ours. */
export interface Session {
  ask(question: Question): Promise<Answer>
}

/** Connects within ten seconds. Rejects with NetworkError or TimeoutFault. */
export async function openSession(process: Process, host: string, port: number): Promise<Session> {
  const connection = await process.within(10_000, (signal) => process.machine.network.connect(host, port, signal))
  process.onEnd(() => connection[Symbol.dispose]())
  let received = ''
  let gone = false
  let wake = (): void => {}
  connection.onData((chunk) => {
    received += Buffer.from(chunk).toString()
    wake()
  })
  connection.onEnd(() => {
    gone = true
    wake()
  })
  return {
    async ask(question) {
      connection.write(Buffer.from(`${JSON.stringify(question)}\n`))
      for (;;) {
        const end = received.indexOf('\n')
        if (end >= 0) {
          const line = received.slice(0, end)
          received = received.slice(end + 1)
          return JSON.parse(line) as Answer
        }
        if (gone) throw new NetworkError('ECONNRESET', 'server closed the connection unexpectedly')
        await process.block<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
