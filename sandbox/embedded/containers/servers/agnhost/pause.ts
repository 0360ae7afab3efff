import { command } from '../../go/flags.ts'
import { forever } from '../../go/signals.ts'
import { errorText } from '../../vfs/errno.ts'

/** Waits for a signal and leaves a word about it as the termination message. */
export const pause = command({
  short: 'Pauses the execution',
  flags: {},
  args: 0,
  async run(process) {
    await process.print('Paused\n')
    for (const [signal, code, name] of [
      ['INT', 1, 'interrupt'],
      ['TERM', 2, 'terminated'],
    ] as const) {
      process.trap(signal, () => {
        const text = `exiting because of signal "${name}"\n`
        try {
          process.fs.write(process.env.get('TERMINATION_MESSAGE_PATH') || '/dev/termination-log', text, process.who)
        } catch (error) {
          // As in the original nobody hears of it; the same words follow on stdout.
          void errorText(error)
        }
        void process.print(text).then(() => process.end({ code }))
      })
    }
    await process.print('Signals registered\n')
    return forever(process)
  },
})
