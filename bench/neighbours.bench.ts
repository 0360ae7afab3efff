import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { HttpApi } from './api-client.ts'
import { attacks } from './attacks.ts'
import { specOf, startEngine } from './engine.ts'
import { type Benchmark, percentile, percentileRows, type Row, sample } from './harness.ts'

const times = 200

export const benchmark: Benchmark = {
  name: 'neighbours',
  about: 'a cluster’s answers while another one in its process is flooded, against before',
  async run(context) {
    const { say, cleanup, folder } = context
    const { engine, lab } = await startEngine(context, 1)
    const quiet = await engine.create(specOf('quiet', lab), () => undefined)
    const noisy = await engine.create(specOf('noisy', lab), () => undefined)
    const busy = await engine.create(specOf('busy', lab), () => undefined)
    const api = cleanup.use(HttpApi.open(await quiet.kubeconfig(), engine.apiSocket('quiet')))
    let count = 0
    const write = () => api.ask('POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `calm-${count++}` } })
    const read = () => api.ask('GET', `${configMaps}/calm-0`)
    const measure = async () => ({
      created: await sample(times, async () => void (await write())),
      got: await sample(times, async () => void (await read())),
    })
    await new Promise((resolve) => setTimeout(resolve, 15_000))
    await measure()
    say('while nothing else happens')
    const before = await measure()

    say('while its neighbour’s containers compute without end')
    await busy.apply(computing)
    await new Promise((resolve) => setTimeout(resolve, 10_000))
    const amongBusy = await measure()
    await engine.destroy('busy')

    const one = HttpApi.open(await noisy.kubeconfig(), engine.apiSocket('noisy'))
    cleanup.use(one)
    const struck: Row[] = []
    for (const { name, strike } of attacks) {
      say(`while its neighbour ${name}`)
      const samples = await during(strike(one), read)
      const rows = [
        ['p99', percentile(samples, 0.99)],
        ['longest', Math.max(...samples)],
      ] as const
      const baseline = { what: 'a calm process, p99', value: percentile(before.got, 0.99) }
      for (const [which, value] of rows) {
        struck.push({ what: `get while a neighbour ${name}, ${which}`, unit: 'ms', value, baseline, n: samples.length })
      }
    }

    say('while its neighbour is flooded')
    const kubeconfig = join(folder, 'noisy')
    await writeFile(kubeconfig, await noisy.kubeconfig(), { mode: 0o600 })
    const noise = spawn(process.execPath, [join(import.meta.dirname, 'noise.ts'), kubeconfig, engine.apiSocket('noisy')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    cleanup.defer(() => void noise.kill('SIGKILL'))
    await once(createInterface({ input: noise.stdout }), 'line')
    const flooded = await measure()
    const against = (samples: number[]) => ({ what: 'a calm process', samples })
    return [
      ...percentileRows('create while a neighbour computes', 'ms', amongBusy.created, against(before.created)),
      ...percentileRows('get while a neighbour computes', 'ms', amongBusy.got, against(before.got)),
      ...percentileRows('create while a neighbour is flooded', 'ms', flooded.created, against(before.created)),
      ...percentileRows('get while a neighbour is flooded', 'ms', flooded.got, against(before.got)),
      ...struck,
    ]
  },
}

/** What each of the questions took that were asked until the work was over, whatever became of it: ms. */
async function during(work: Promise<unknown>, ask: () => Promise<unknown>): Promise<number[]> {
  let over = false
  const end = () => {
    over = true
  }
  const ended = Promise.race([work, new Promise((resolve) => setTimeout(resolve, longestStrike))]).then(end, end)
  const samples: number[] = []
  do samples.push(...(await sample(1, async () => void (await ask()))))
  while (!over)
  await ended
  return samples
}

/** ms. */
const longestStrike = 40_000

const configMaps = '/api/v1/namespaces/default/configmaps'

/** Three containers of endless loops on each node. */
const computing = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: computing}
spec:
  replicas: 6
  selector: {matchLabels: {app: computing}}
  template:
    metadata: {labels: {app: computing}}
    spec:
      containers:
      - name: loop
        image: busybox:1.36
        command: [sh, -c, "while true; do :; done"]
`
