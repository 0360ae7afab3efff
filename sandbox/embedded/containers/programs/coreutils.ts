import type { Run } from '../kernel/process.ts'
import { cantOpen, eachInput } from './text.ts'

export const coreutils: Record<string, Run> = {
  cat: async (process) => {
    const fine = await eachInput(
      process,
      process.args.filter((arg) => arg === '-' || !arg.startsWith('-')),
      async (open) => {
        for (;;) {
          const chunk = await open.read(65536, process)
          if (chunk.length === 0) return
          await process.print(chunk)
        }
      },
      cantOpen,
    )
    return fine ? 0 : 1
  },
  sleep: async (process) => {
    let total = 0
    for (const arg of process.args) {
      const match = /^(\d+(?:\.\d*)?|\.\d+)([smhd]?)$/.exec(arg)
      if (arg === 'infinity' || arg === 'inf') {
        total = Number.POSITIVE_INFINITY
        continue
      }
      if (!match) return process.fail(`invalid number '${arg}'`)
      total += Number(match[1]) * ({ s: 1, m: 60, h: 3600, d: 86400 }[match[2] || 's'] as number)
    }
    if (process.args.length === 0) return process.fail('missing operand')
    if (total === Number.POSITIVE_INFINITY) await process.block<void>(() => undefined)
    await process.sleep(total * 1000)
    return 0
  },
  true: () => 0,
  false: () => 1,
}
