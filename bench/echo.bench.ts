import { spawn } from 'node-pty'
import { labName } from './engine.ts'
import { type Benchmark, percentileRows, sample } from './harness.ts'
import { startProduct } from './product.ts'

const keys = 300
/** A person's pause between two keys, short: ms. */
const pause = 10

export const benchmark: Benchmark = {
  name: 'echo',
  about: 'from a key to its echo, through WebSocket, session, jail and bash',
  async run({ folder, cleanup, say }) {
    say('bash on a bare pty')
    const bare = await typeKeys(openBare('bash', ['--norc', '--noprofile'], cleanup), keys)
    say('the terminal of the product')
    const product = cleanup.use(await startProduct(folder))
    const guest = await product.guest()
    const { attempt } = await guest.startReady({ lab: labName })
    const terminal = cleanup.use(await guest.attach(attempt, await guest.openTerminal(attempt)))
    await terminal.until((text) => text.includes('$ '))
    const through = await typeKeys(
      { type: (data) => terminal.type(data), until: (wanted) => terminal.until(wanted), reset: () => void (terminal.text = '') },
      keys,
    )
    return percentileRows('key to echo in a terminal', 'ms', through, { what: 'bash on a bare pty', samples: bare })
  },
}

export interface Typewriter {
  type(data: string): void
  until(wanted: (text: string) => boolean): Promise<void>
  /** Forgets the output so far. */
  reset(): void
}

/** ms from each key to its echo. */
export async function typeKeys(typewriter: Typewriter, times: number): Promise<number[]> {
  const samples = await sample(times + 20, async (index) => {
    await new Promise((resolve) => setTimeout(resolve, pause))
    if (index % 40 === 39) {
      typewriter.type('\x15') // empties the line, so that it never wraps
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    typewriter.reset()
    const began = performance.now()
    typewriter.type('x')
    await typewriter.until((text) => text.includes('x'))
    return performance.now() - began
  })
  return samples.slice(20)
}

/** A shell without any of the product around it. */
export function openBare(file: string, args: string[], cleanup: AsyncDisposableStack): Typewriter {
  const pty = spawn(file, args, { name: 'xterm-256color', cols: 80, rows: 24, env: { PS1: '$ ', PATH: process.env['PATH'] ?? '' } })
  cleanup.defer(() => pty.kill())
  let text = ''
  let look = () => {}
  pty.onData((data) => {
    text += data
    look()
  })
  return {
    type: (data) => pty.write(data),
    until: (wanted) =>
      new Promise((resolve) => {
        look = () => wanted(text) && resolve()
        look()
      }),
    reset: () => void (text = ''),
  }
}
