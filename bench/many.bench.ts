import { labName } from './engine.ts'
import { type Benchmark, percentile, percentileRows, type Row, sample } from './harness.ts'
import { cpuSeconds, familyOf, proportionalMB } from './processes.ts'
import { type Guest, type Product, startProduct, type TerminalClient } from './product.ts'

const crowd = 50
/** So long idle CPU is measured: ms. */
const watched = 20_000
const questions = 30

export const benchmark: Benchmark = {
  name: 'many',
  about: `${crowd} sandboxes at once on this machine, against one`,
  async run({ folder, cleanup, say }) {
    const product = cleanup.use(await startProduct(folder))
    await warm(product)
    say('one')
    const guest = await product.guest()
    const { attempt, ms } = await guest.startReady({ lab: labName })
    const terminal = cleanup.use(await guest.attach(attempt, await guest.openTerminal(attempt)))
    await terminal.until((text) => text.includes('$ '))
    await pass(10_000)
    const one = await idle(product)
    const calm = await sample(questions, () => guest.ask('GET', `/api/attempts/${attempt}`))
    const calmKubectl = await sample(10, () => kubectl(terminal))

    say(`${crowd} at once`)
    const guests: Guest[] = []
    for (let index = 1; index < crowd; index++) guests.push(await product.guest())
    const started = performance.now()
    const others = await Promise.all(guests.map(async (one) => ({ one, ...(await one.startReady({ lab: labName })) })))
    const all = performance.now() - started
    const readyAfter = others.map((other) => other.ms)
    say('a terminal in each')
    await Promise.all(
      others.map(async ({ one, attempt }) => {
        const shell = cleanup.use(await one.attach(attempt, await one.openTerminal(attempt)))
        await shell.until((text) => text.includes('$ '), 60_000)
      }),
    )
    // pods boot for 15 s in this lab; what runs after that is idle
    await pass(25_000)
    const many = await idle(product)
    const crowded = await sample(questions, () => guest.ask('GET', `/api/attempts/${attempt}`))
    const crowdedKubectl = await sample(10, () => kubectl(terminal))
    const alone = 'one alone'
    const row = (what: string, unit: Row['unit'], value: number, baseline: number, n: number): Row => ({
      what,
      unit,
      value,
      baseline: { what: alone, value: baseline },
      n,
    })
    return [
      row(`click to ready, last of ${crowd - 1} at once`, 'ms', all, ms, crowd - 1),
      row(`click to ready, p50 of ${crowd - 1} at once`, 'ms', percentile(readyAfter, 0.5), ms, crowd - 1),
      row(`CPU of ${crowd} idle with a terminal each, of one CPU`, '%', many.cpu, one.cpu, 1),
      row(`memory of the server with ${crowd}`, 'MB', many.memory, one.memory, 1),
      ...percentileRows(`site’s API among ${crowd}`, 'ms', crowded, { what: alone, samples: calm }),
      ...percentileRows(`kubectl get pods in a terminal among ${crowd}`, 'ms', crowdedKubectl, { what: alone, samples: calmKubectl }),
    ]
  },
}

async function warm(product: Product): Promise<void> {
  const guest = await product.guest()
  const { attempt } = await guest.startReady({ lab: labName })
  await guest.end(attempt)
}

/** Percent of one CPU and MB that the server and everything it started use while nobody does anything. */
async function idle({ pid }: Product): Promise<{ cpu: number; memory: number }> {
  const family = await familyOf(pid)
  const before = await cpuSeconds(family)
  await pass(watched)
  return { cpu: (((await cpuSeconds(family)) - before) / (watched / 1000)) * 100, memory: await proportionalMB(family) }
}

let asked = 0

async function kubectl(terminal: TerminalClient): Promise<void> {
  const mark = `done-${++asked}`
  terminal.type(`kubectl get pods -o name; echo "done-"${asked}\r`)
  await terminal.until((text) => text.includes(mark))
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
