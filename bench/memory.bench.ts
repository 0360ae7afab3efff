import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { labName, specOf, startEngine } from './engine.ts'
import type { Benchmark } from './harness.ts'
import { bareNodeMB, familyOf, proportionalMB, residentMB } from './processes.ts'

const sandboxes = 40
const toolboxes = 8
/** A start has come to rest after this: ms. */
const settle = 10_000

export const benchmark: Benchmark = {
  name: 'memory',
  about: 'what an idle sandbox and its toolbox keep of the memory',
  async run(context) {
    const { say } = context
    const bare = { what: 'an empty Node process', value: await bareNodeMB() }
    say(`${sandboxes} idle clusters with the lab’s objects in the engine’s processes`)
    const { engine, lab } = await startEngine(context)
    const first = await engine.create(specOf('first', lab), () => undefined)
    await pass(settle)
    const empty = await residentMB(engine.pids())
    const made = []
    for (let index = 0; index < sandboxes; index++) made.push(await engine.create(specOf(`idle-${index}`, lab), () => undefined))
    await pass(settle)
    const grown = (await residentMB(engine.pids())) - empty

    say(`${toolboxes} toolboxes`)
    await first.exec(['true'])
    const without = new Set(await familyOf(process.pid))
    const here = await residentMB([process.pid])
    for (const sandbox of made.slice(0, toolboxes)) await sandbox.exec(['true'])
    await pass(1_000)
    const added = (await familyOf(process.pid)).filter((pid) => !without.has(pid))
    const boxes = (await proportionalMB(added)) + Math.max(0, (await residentMB([process.pid])) - here)

    say('the heap alone, collected')
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      join(import.meta.dirname, 'cluster-heap.ts'),
      String(sandboxes / 2),
      labName,
      String(settle),
    ])
    const { heap } = JSON.parse(stdout) as { heap: number }
    return [
      { what: 'idle sandbox, resident', unit: 'MB', value: grown / sandboxes, baseline: bare, goal: 15, n: sandboxes },
      { what: 'idle sandbox, kept on the heap', unit: 'MB', value: heap, baseline: bare, n: sandboxes / 2 },
      { what: 'idle toolbox', unit: 'MB', value: boxes / toolboxes, baseline: bare, n: toolboxes },
      {
        what: 'cluster process with one sandbox',
        unit: 'MB',
        value: empty / engine.pids().length,
        baseline: bare,
        n: engine.pids().length,
      },
    ]
  },
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
