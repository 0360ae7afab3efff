import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster } from '../sandbox/embedded/cluster.ts'
import { applyManifests } from '../sandbox/manifests.ts'
import { loadLabs } from '../sandbox/supervisor/labs.ts'

/**
 * Run by memory.bench.ts in a process of its own with --expose-gc: opens one cluster and then as many as asked for, with the
 * lab's objects, and prints what they keep on the heap after a collection, in MB.
 */
const [count = '10', lab = '', settle = '5000'] = process.argv.slice(2)
const folder = await mkdtemp(join(tmpdir(), 'bench-heap-'))
const clusters: Cluster[] = []
try {
  const manifests = (await loadLabs(join(import.meta.dirname, '../labs'))).get(lab)?.manifests ?? ''
  const open = async () => {
    const cluster = await Cluster.open({ dir: join(folder, String(clusters.length)), nodes: 2 })
    clusters.push(cluster)
    await cluster.listen({ path: join(folder, `${clusters.length}.sock`) })
    await applyManifests((request) => cluster.request(request), manifests)
  }
  await open()
  const before = await kept()
  for (let index = 0; index < Number(count); index++) await open()
  console.log(JSON.stringify({ heap: ((await kept()) - before) / Number(count) }))
} finally {
  for (const cluster of clusters) await cluster[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
}

async function kept(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, Number(settle)))
  for (let round = 0; round < 3; round++) globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 2 ** 20
}
