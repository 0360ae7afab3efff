import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepareTools } from '../../terminal/tools.ts'
import { chartFlow } from './chart-flow.ts'

/** node record.ts KUBECONFIG: writes what a real cluster makes of the chart, which chart.test.ts compares with. */
const [kubeconfig] = process.argv.slice(2)
if (!kubeconfig) throw new Error('usage: node record.ts KUBECONFIG')
const cache = join(import.meta.dirname, '../../../.cache')
for (const [major, minor] of [
  ['3', '1.31'],
  ['4', '1.35'],
] as const) {
  const home = await mkdtemp(join(tmpdir(), 'helm-'))
  const { kubectl, helm } = await prepareTools(cache, minor)
  const steps = await chartFlow({ kubectl, helm, kubeconfig, namespace: `helm-${major}`, home })
  await writeFile(join(import.meta.dirname, `fixtures/helm-${major}.json`), `${JSON.stringify(steps, null, 2)}\n`)
  await rm(home, { recursive: true, force: true })
}
