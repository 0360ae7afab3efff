import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Started } from './cluster-start.ts'
import { type Benchmark, percentileRows, sample } from './harness.ts'
import { bareNodeMB, runBareNode } from './processes.ts'

const clusters = 50

export const benchmark: Benchmark = {
  name: 'start',
  about: 'a cluster in a warm process: until its first answer, and what it takes when it is idle',
  async run({ say }) {
    const bare = { what: 'node -e 0', samples: await sample(20, runBareNode) }
    const empty = { what: 'an empty Node process', value: await bareNodeMB() }
    say(`${clusters} clusters in one process, then a minute of rest`)
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      '--max-semi-space-size=4', // as the engine's processes have it
      join(import.meta.dirname, 'cluster-start.ts'),
      String(clusters),
    ])
    const { ms, kept, resident, idle } = JSON.parse(stdout) as Started
    return [
      ...percentileRows('opened, to its first answer over TLS', 'ms', ms, bare, 100),
      { what: 'idle cluster, heap and buffers', unit: 'MB', value: kept, baseline: empty, goal: 10, n: clusters },
      { what: 'idle cluster, resident', unit: 'MB', value: resident, baseline: empty, goal: 10, n: clusters },
      {
        what: 'CPU of a hundred idle clusters, of one CPU',
        unit: '%',
        value: idle.hundred,
        baseline: { what: 'fifteen of them', value: idle.warm },
        goal: 10,
        n: clusters,
      },
    ]
  },
}
