import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster } from '../sandbox/embedded/cluster.ts'
import { HttpApi } from './api-client.ts'

/** What start.bench.ts gets: ms from asking for a cluster to its first answer over TLS, and what one keeps of the process. */
export interface Started {
  ms: number[]
  /** MB a cluster, after a collection: heap with what is outside of it, and resident. */
  kept: number
  resident: number
  /** Percent of one CPU: of the warm ones alone, and of a hundred. */
  idle: { warm: number; hundred: number }
}

/**
 * Run by start.bench.ts in a process of its own with --expose-gc: opens clusters until it is warm, then as many as asked for,
 * and leaves them idle.
 */
const [count = '50', warm = '15', settle = '15000', watched = '60000'] = process.argv.slice(2)
const folder = await mkdtemp(join(tmpdir(), 'bench-start-'))
const clusters: Cluster[] = []
try {
  for (let index = 0; index < Number(warm); index++) await start()
  await pass(Number(settle))
  const before = kept()
  const idleBefore = await idle(Number(watched) / 4)
  const ms: number[] = []
  for (let index = 0; index < Number(count); index++) {
    ms.push(await start())
    // what the one before still has to do is no part of the next
    await pass(250)
  }
  await pass(Number(settle))
  const all = await idle(Number(watched))
  const after = kept()
  const grown = (what: 'heap' | 'resident') => (after[what] - before[what]) / Number(count)
  const started: Started = {
    ms,
    kept: grown('heap'),
    resident: grown('resident'),
    idle: { warm: idleBefore, hundred: (all / clusters.length) * 100 },
  }
  console.log(JSON.stringify(started))
} finally {
  for (const cluster of clusters) await cluster[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
}

async function start(): Promise<number> {
  const began = performance.now()
  const cluster = await Cluster.open({ dir: join(folder, String(clusters.length)), nodes: 2 })
  clusters.push(cluster)
  const path = join(folder, `${clusters.length}.sock`)
  await cluster.listen({ path })
  using client = HttpApi.open(cluster.kubeconfig({ server: 'https://127.0.0.1:6443' }), path)
  await client.ask('GET', '/api/v1/namespaces/default')
  return performance.now() - began
}

function kept(): { heap: number; resident: number } {
  for (let round = 0; round < 3; round++) globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: (heapUsed + external) / 2 ** 20, resident: rss / 2 ** 20 }
}

/** Percent of one CPU that this process uses while nobody asks for anything. */
async function idle(ms: number): Promise<number> {
  const before = process.cpuUsage()
  const began = performance.now()
  await pass(ms)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) / 1000 / (performance.now() - began)) * 100
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
