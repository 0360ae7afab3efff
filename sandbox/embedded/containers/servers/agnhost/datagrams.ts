import type { Protocol } from '../../../network/network.ts'
import { NetworkError } from '../../../network/network.ts'
import type { Process } from '../../kernel/process.ts'

/** Sends one message over UDP or SCTP and resolves with the first that comes back. Rejects as connect does, or with TimeoutFault. */
export function exchange(process: Process, ip: string, port: number, text: string, protocol: Protocol, timeoutMs: number): Promise<string> {
  return process.within(timeoutMs, async (signal) => {
    const flow = await process.machine.network.connect(ip, port, signal, protocol)
    const end = () => flow[Symbol.dispose]()
    signal.addEventListener('abort', end, { once: true })
    try {
      return await new Promise<string>((resolve, reject) => {
        flow.onData((data) => resolve(new TextDecoder().decode(data)))
        flow.onEnd(() => reject(new NetworkError('ECONNRESET', 'read: connection reset by peer')))
        flow.write(new TextEncoder().encode(text))
      })
    } finally {
      signal.removeEventListener('abort', end)
      end()
    }
  })
}

/** Answers each message that arrives on a port until the process ends. An SCTP association is over with its first answer. */
export function answerDatagrams(
  process: Process,
  port: number,
  protocol: Protocol,
  reply: (text: string, peer: string) => string | undefined,
  host = '',
): void {
  const listener = process.machine.network.listen(
    port,
    {
      accept: (flow) => {
        flow.onData((data) => {
          if (process.ended) return
          const text = reply(new TextDecoder().decode(data), `${flow.remote.ip}:${flow.remote.port}`)
          if (text !== undefined) flow.write(new TextEncoder().encode(text))
          if (protocol === 'SCTP') flow.end()
        })
      },
    },
    host,
    protocol,
  )
  process.onEnd(() => listener[Symbol.dispose]())
}
