import { labName, specOf, startEngine } from './engine.ts'
import { type Benchmark, percentileRows, sample } from './harness.ts'
import { runBareNode } from './processes.ts'
import { startProduct } from './product.ts'

const times = 30

export const benchmark: Benchmark = {
  name: 'sandbox',
  about: 'a cluster of one’s own after the click, ready with its lab',
  async run(context) {
    const { say, cleanup, folder } = context
    // taken between the others, so that both meet the same other work of the machine
    const bare = { what: 'node -e 0', samples: [] as number[] }

    say('the whole product: request, platform, supervisor, engine, stored lease, event on the page')
    const product = cleanup.use(await startProduct(folder))
    const guest = await product.guest()
    const prompts: number[] = []
    const first: number[] = []
    const ready = await sample(times + 1, async (index) => {
      const { attempt, ms } = await guest.startReady({ lab: labName })
      if (index === 0) first.push(ms)
      const began = performance.now()
      using terminal = await guest.attach(attempt, await guest.openTerminal(attempt))
      await terminal.until((text) => text.includes('$ '))
      if (index > 0) prompts.push(performance.now() - began)
      await guest.end(attempt)
      bare.samples.push(...(await sample(1, runBareNode)))
      return ms
    })
    await product[Symbol.asyncDispose]()

    say('the engine alone')
    const { engine, lab } = await startEngine(context)
    const made = await sample(times + 1, async (index) => {
      const began = performance.now()
      await engine.create(specOf(`made-${index}`, lab), () => undefined)
      const ms = performance.now() - began
      await engine.destroy(`made-${index}`)
      return ms
    })
    return [
      ...percentileRows('click to ready, warm server', 'ms', ready.slice(1), bare, 300),
      ...percentileRows('click to ready, first of a server', 'ms', first, bare).slice(0, 1),
      ...percentileRows('opening a terminal to its prompt', 'ms', prompts, bare),
      ...percentileRows('engine.create with the lab', 'ms', made.slice(1), bare),
    ]
  },
}
