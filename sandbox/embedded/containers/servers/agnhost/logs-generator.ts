import { randomLetters } from '../../../machinery/random.ts'
import { command } from '../../go/flags.ts'
import { klogInfo, logFatal } from '../../go/log.ts'
import { dieOfSignals } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'

/** Lines of an imagined server's log, evenly over a time. */
export const logsGenerator = command({
  short: 'Outputs lines of logs to stdout uniformly',
  flags: { 'log-lines-total': 0, 'run-duration': { duration: 0 } },
  letters: { t: 'log-lines-total', d: 'run-duration' },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    const total = flags['log-lines-total']
    const duration = flags['run-duration']
    if (total <= 0) return logFatal(process, `Invalid total number of lines: ${total}`)
    if (duration <= 0) return logFatal(process, `Invalid duration: ${duration}`)
    for (let id = process.resume<number>() ?? 0; id < total; id++) {
      process.save(id)
      await klogInfo(process, 'logs_generator.go:76', line(process, id))
      await process.sleep(duration / total)
    }
    return 0
  },
})

function line(process: Process, id: number): string {
  const below = (count: number) => Math.floor(process.machine.random() * count)
  const method = ['GET', 'POST', 'PUT'][below(3)]
  const namespace = ['kube-system', 'default', 'ns'][below(3)]
  const pod = randomLetters(process.machine.random, 3 + below(2))
  return `${id} ${method} /api/v1/namespaces/${namespace}/pods/${pod} ${200 + below(400)}`
}
