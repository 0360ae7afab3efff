import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Sandbox } from '../sandbox/engine.ts'
import { listObjects } from '../sandbox/manifests.ts'
import { labName, specOf, startEngine } from './engine.ts'
import type { Benchmark } from './harness.ts'
import { bareNodeMB, familyOf, proportionalMB, residentMB } from './processes.ts'

const sandboxes = 40
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
    await engine.create(specOf('first', lab), () => undefined)
    await pass(settle)
    const empty = await residentMB(engine.pids())
    const made = []
    for (let index = 0; index < sandboxes; index++) made.push(await engine.create(specOf(`idle-${index}`, lab), () => undefined))
    await pass(settle)
    for (const sandbox of made) await checkPods(sandbox)
    const grown = (await residentMB(engine.pids())) - empty

    say('their toolboxes')
    for (const sandbox of made) await sandbox.exec(['true'])
    const clusters = new Set([process.pid, ...engine.pids()])
    const boxes = (await familyOf(process.pid)).filter((pid) => !clusters.has(pid))
    const box = (await proportionalMB(boxes)) / (made.length + 1)

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
      { what: 'idle toolbox', unit: 'MB', value: box, baseline: bare, n: made.length + 1 },
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

/** Memory of clusters whose pods do not run would say nothing. */
async function checkPods(sandbox: Sandbox): Promise<void> {
  const pods = (await listObjects((request) => sandbox.api(request), { group: '', version: 'v1', resource: 'pods' })) as unknown as {
    metadata: { name: string }
    status?: { phase?: string }
  }[]
  const idle = pods.find((pod) => pod.status?.phase !== 'Running')
  if (pods.length === 0 || idle) throw new Error(`${sandbox.id}: ${idle ? `${idle.metadata.name} is ${idle.status?.phase}` : 'no pods'}`)
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
