import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prepareTools } from '../../terminal/tools.ts'
import { Cluster } from '../cluster.ts'
import { groups } from './commands.ts'
import { normalise } from './normalise.ts'
import { type Entry, runGroups } from './run.ts'

const recorded = JSON.parse(await readFile(new URL('recorded.json', import.meta.url), 'utf8')) as Record<string, Entry[]>
let replayed: Record<string, Entry[]>
let folder: string
const errors: unknown[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transcripts-'))
  await using cluster = await Cluster.open({ nodes: 1, report: (where, error) => errors.push([where, error]) })
  const address = (await cluster.listen({ host: '127.0.0.1', port: 0 })) as { port: number }
  const kubeconfig = join(folder, 'kubeconfig')
  await writeFile(kubeconfig, cluster.kubeconfig({ server: `https://127.0.0.1:${address.port}` }))
  const tools = await prepareTools(join(tmpdir(), 'labernetes-tools'))
  replayed = await runGroups(groups, { tools: join(tools.folder, 'bin'), kubeconfig })
}, 1_800_000)

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  expect(errors).toEqual([])
})

test.each(groups)('kubectl hears from this cluster what it hears from a real one: $name', ({ name }) => {
  expect(replayed[name]?.map(normalise)).toEqual(recorded[name])
})
