import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import headless from '@xterm/headless'
import { readRecording } from '../sandbox/terminal/recording.ts'
import { labName } from './engine.ts'
import { type Benchmark, percentileRows, sample } from './harness.ts'
import { startProduct } from './product.ts'

const times = 30
const lines = 5_000

export const benchmark: Benchmark = {
  name: 'reattach',
  about: `from opening the WebSocket to the screen with ${lines} lines of scrollback`,
  async run({ folder, cleanup, say }) {
    const product = cleanup.use(await startProduct(folder))
    const guest = await product.guest()
    const { attempt } = await guest.startReady({ lab: labName })
    const terminal = await guest.openTerminal(attempt)
    using first = await guest.attach(attempt, terminal)
    await first.until((text) => text.includes('$ '))
    say('filling the scrollback with coloured lines')
    const line = '\\033[3%dm%05d\\033[0m pod/shop-%05d   1/1   \\033[32mRunning\\033[0m   0   12m\\n'
    first.type(`for i in $(seq ${lines}); do printf '${line}' $((i % 7 + 1)) $i $i; done; echo all"-"told\r`)
    await first.until((text) => text.includes('all-told'))
    const attached = await sample(times, async () => {
      using again = await guest.attach(attempt, terminal)
      if (!again.text.includes('pod/shop-04999') || !again.text.includes('pod/shop-00100')) throw new Error('The scrollback is not there')
      return again.screenAfter
    })
    say('the recording, replayed from its file')
    const recordings = (await readdir(join(folder, 'data'), { recursive: true })).filter((name) => name.endsWith('.cast'))
    const [recording] = recordings
    if (!recording) throw new Error('There is no recording')
    const replayed = await sample(times, async () => {
      const screen = new headless.Terminal({ cols: 80, rows: 24, scrollback: lines, allowProposedApi: true })
      for await (const event of readRecording(join(folder, 'data', recording))) if (event.kind === 'o') screen.write(event.text)
      await new Promise<void>((resolve) => screen.write('', resolve))
      screen.dispose()
    })
    return percentileRows('reattach', 'ms', attached, { what: 'raw replay of the recording', samples: replayed }, 100)
  },
}
