import { join } from 'node:path'
import { memoryOf } from '../sandbox/kind/budget.ts'
import { runProgram } from '../sandbox/kind/docker.ts'
import { KindEngine } from '../sandbox/kind/engine.ts'
import { findKind } from '../sandbox/kind/kind.ts'
import { availableMemory } from '../sandbox/kind/machine.ts'
import type { KindSandbox } from '../sandbox/kind/sandbox.ts'
import { findGround } from '../sandbox/kind/testing.ts'
import { kindToolboxes } from '../sandbox/kind/toolbox/toolbox.ts'
import { type Benchmark, percentile, type Row, sample, Unavailable } from './harness.ts'

const cache = join(import.meta.dirname, '..', '.cache')
const rounds = 2
const mebibyte = 2 ** 20

export const benchmark: Benchmark = {
  name: 'kind',
  about: 'a real cluster: made, copied, claimed, paused; what it takes (needs Docker and a node image)',
  async run({ say, folder, cleanup }) {
    const ground = await findGround(cache)
    if ('missing' in ground) throw new Unavailable(ground.missing)
    const { docker, nodeImages } = ground
    const options = {
      cache,
      nodeImages,
      subnets: '10.203.0.0/16',
      toolboxes: kindToolboxes({ egress: 'none', image: {} }),
      budget: { memory: 1, load: Number.POSITIVE_INFINITY, disk: 0 },
      onFault: say,
    }
    const cold = await KindEngine.start({ ...options, dir: join(folder, 'cold'), templates: 0 })
    cleanup.defer(() => cold.removeAll())
    const warm = await KindEngine.start({ ...options, dir: join(folder, 'warm') })
    cleanup.defer(() => warm.removeAll())
    const quiet = () => undefined

    say('the toolbox image, a template and its first copy: not measured')
    const image = [...nodeImages.values()][0] ?? ''
    await warm.create({ id: 'first', nodes: 1 }, quiet)
    await warm.settled()
    await warm.destroy('first')

    const bare: number[] = []
    const made: number[] = []
    const copied: number[] = []
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}: kind create cluster, the same by the engine, a copy`)
      bare.push(await bareCreate(await findKind(cache), image))
      made.push(...(await sample(1, () => ready(cold, `cold-${round}`))))
      await cold.destroy(`cold-${round}`)
      copied.push(...(await sample(1, () => ready(warm, `copy-${round}`))))
      await warm.destroy(`copy-${round}`)
    }

    say('clusters that wait, claimed')
    const pool = await KindEngine.start({ ...options, dir: join(folder, 'pool'), pool: [{ nodes: 1, size: 1 }] })
    cleanup.defer(() => pool.removeAll())
    const claimed: number[] = []
    const sandboxes: KindSandbox[] = []
    for (let round = 0; round < rounds; round++) {
      pool.pool.refill()
      await pool.settled()
      const began = performance.now()
      sandboxes.push((await pool.create({ id: `claimed-${round}`, nodes: 1 }, quiet)) as KindSandbox)
      claimed.push(performance.now() - began)
    }
    await pool.settled()

    say('memory, pause and resume')
    const memory = await Promise.all(
      sandboxes.map(
        async ({ record }) =>
          ((await memoryOf(
            docker,
            record.nodes.map((node) => node.container),
          )) ?? 0) / mebibyte,
      ),
    )
    const before = await availableMemory()
    await pool.destroy('claimed-0')
    const freed = ((await availableMemory()) - before) / mebibyte
    const [, one] = sandboxes
    if (!one) throw new Error('No cluster was claimed')
    const container = one.record.nodes[0]?.container ?? ''
    const pauses: number[] = []
    const resumes: number[] = []
    for (let round = 0; round < rounds; round++) {
      pauses.push(...(await sample(1, () => one.pause())))
      resumes.push(...(await sample(1, () => one.resume())))
    }
    const paused = await pausedMemory(one, () => memoryOf(docker, [container]))

    const p50 = (samples: readonly number[]) => percentile(samples, 0.5)
    const against = { what: 'kind create cluster, to Ready', value: p50(bare) }
    const row = (what: string, samples: readonly number[], goal?: number): Row => ({
      what,
      unit: 'ms',
      value: p50(samples),
      baseline: against,
      n: samples.length,
      ...(goal === undefined ? {} : { goal }),
    })
    const perCluster = Math.max(p50(memory), freed)
    return [
      row('made by kind, with toolbox, to Ready', made, p50(bare) * 1.05),
      row('copied from a template, with toolbox', copied, Math.min(10_000, p50(bare) * 0.4)),
      row('claimed from those that wait', claimed, 2_000),
      row('pause', pauses),
      row('resume, to an answer of the API', resumes),
      {
        what: 'memory of a node',
        unit: 'MB',
        value: p50(memory),
        baseline: { what: 'its machine gets back', value: freed },
        n: memory.length,
      },
      { what: 'memory of a paused node', unit: 'MB', value: paused / mebibyte, baseline: { what: 'running', value: p50(memory) }, n: 1 },
      {
        what: 'clusters of one node in 20 GB',
        unit: 'clusters',
        value: Math.floor((20 * 1024) / perCluster),
        baseline: { what: 'in one GB', value: 1024 / perCluster },
        n: 1,
      },
    ]
  },
}

async function ready(engine: KindEngine, id: string): Promise<void> {
  await engine.create({ id, nodes: 1 }, () => undefined)
}

/** Bytes while it is paused. */
async function pausedMemory(sandbox: KindSandbox, measure: () => Promise<number | null>): Promise<number> {
  await sandbox.pause()
  const bytes = (await measure()) ?? 0
  await sandbox.resume()
  return bytes
}

/** ms of `kind create cluster` until its node is Ready; the cluster is gone after it. */
async function bareCreate(kind: string, image: string): Promise<number> {
  const name = `bench-${process.pid}`
  const began = performance.now()
  const { exitCode, stderr } = await runProgram(
    kind,
    ['create', 'cluster', `--name=${name}`, `--image=${image}`, '--wait=300s', '--kubeconfig=/dev/null'],
    { timeout: 400_000 },
  )
  const took = performance.now() - began
  await runProgram(kind, ['delete', 'cluster', `--name=${name}`, '--kubeconfig=/dev/null'], { timeout: 60_000 })
  if (exitCode !== 0) throw new Error(`kind create cluster failed: ${stderr.trim().split('\n').at(-1)}`)
  return took
}
