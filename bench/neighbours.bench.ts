import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { HttpApi } from './api-client.ts'
import { specOf, startEngine } from './engine.ts'
import { type Benchmark, percentileRows, sample } from './harness.ts'

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
    ]
  },
}

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
