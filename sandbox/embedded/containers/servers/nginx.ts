import type { Process, Program } from '../kernel/process.ts'
import { answer, combinedLog, listenHttp } from './http.ts'

export const nginx: Program = { run, memoryBytes: 9 * 1024 * 1024 }

async function run(process: Process): Promise<number> {
  listenHttp(process, 80, async (request, peer) => {
    const response = answer(200, 'Welcome to nginx!', { 'Content-Type': 'text/html', Server: 'nginx' })
    await process.print(combinedLog(process.machine.now(), request, peer, response, ' "-"'))
    return response
  })
  process.trap('TERM', () => process.end({ code: 0 }))
  process.trap('QUIT', () => process.end({ code: 0 }))
  return process.block<number>(() => undefined)
}
