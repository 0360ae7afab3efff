import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { prepareTools } from '../../terminal/tools.ts'
import { create } from '../index.ts'
import { chartFlow, type Step } from './chart-flow.ts'

const cache = join(import.meta.dirname, '../../../.cache')
const helms = [
  { major: '3', minor: '1.31' },
  { major: '4', minor: '1.35' },
]

test.concurrent.for(helms)(
  'helm $major makes of our chart what it makes of it on a real cluster (record.ts)',
  { timeout: 300_000 },
  async (tool) => {
    const { major, minor } = tool
    const home = await mkdtemp(join(tmpdir(), 'chart-'))
    await using cluster = await create()
    const kubeconfig = join(home, 'kubeconfig')
    await writeFile(kubeconfig, cluster.kubeconfig())
    const { kubectl, helm } = await prepareTools(cache, minor)
    const steps = await chartFlow({ kubectl, helm, kubeconfig, namespace: `helm-${major}`, home })
    const recorded = JSON.parse(await readFile(join(import.meta.dirname, `fixtures/helm-${major}.json`), 'utf8')) as Step[]
    expect(steps).toEqual(recorded)
    await rm(home, { recursive: true, force: true })
  },
)
