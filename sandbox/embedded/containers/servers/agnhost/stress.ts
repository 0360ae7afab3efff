import { parseQuantity } from '../../../schema/quantity.ts'
import { command } from '../../go/flags.ts'
import { klogInfo } from '../../go/log.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import { consumeCpu } from '../load.ts'

/** Takes memory in steps and burns CPU. */
export const stress = command({
  short: 'Lightweight compute resource stress utlity',
  flags: { 'mem-total': '0', 'mem-alloc-size': '4Ki', 'mem-alloc-sleep': { duration: 1 }, cpus: 0 },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    const total = bytes(flags['mem-total'])
    const step = bytes(flags['mem-alloc-size'])
    await klogInfo(
      process,
      'stress.go:63',
      `Allocating "${flags['mem-total']}" memory, in "${flags['mem-alloc-size']}" chunks, with a ${flags['mem-alloc-sleep']}ms sleep between allocations`,
    )
    for (let index = 0; index < flags.cpus; index++) {
      await klogInfo(process, 'stress.go:77', 'Spawning a thread to consume CPU')
      consumeCpu(process, 1000)
    }
    for (let taken = 0; step > 0 && taken + step <= total; taken += step) {
      process.allocate(step)
      if (flags['mem-alloc-sleep'] > 0) await process.sleep(flags['mem-alloc-sleep'])
    }
    await klogInfo(process, 'stress.go:67', `Allocated "${flags['mem-total']}" memory`)
    return forever(process)
  },
})

function bytes(text: string): number {
  return Number(parseQuantity(text).nano / 1_000_000_000n)
}
