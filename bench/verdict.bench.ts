import type { LabDefinition, Verdict } from '../sandbox/check/kit.ts'
import { Observer } from '../sandbox/check/observer.ts'
import { runStartScript } from '../sandbox/supervisor/labs.ts'
import { HttpApi } from './api-client.ts'
import { labName, specOf, startEngine } from './engine.ts'
import { type Benchmark, percentileRows, sample } from './harness.ts'
import { startProduct } from './product.ts'

const times = 40
const deployment = '/apis/apps/v1/namespaces/default/deployments/shop'

export const benchmark: Benchmark = {
  name: 'verdict',
  about: 'from a change in the cluster to the verdict that it causes',
  async run(context) {
    const { say, cleanup, folder } = context
    const { engine, lab } = await startEngine(context, 1)
    const sandbox = await engine.create(specOf('judged', lab), () => undefined)
    await runStartScript(lab, sandbox)
    const api = cleanup.use(HttpApi.open(await sandbox.kubeconfig(), engine.apiSocket('judged')))
    // paused: a rollout would go on changing what is watched between the samples
    await api.ask('PATCH', deployment, { spec: { paused: true } })

    say('bare watch of the Deployment over HTTPS')
    let told = (_change: string) => {}
    const watching = await api.watch(`${deployment.replace('/shop', '')}?watch=true&fieldSelector=metadata.name%3Dshop`, (event) =>
      told(pathIn(event)),
    )
    const watch = await sample(times, async (index) => {
      const path = `/bare-${index}`
      const seen = new Promise<number>((resolve) => {
        told = (now) => now === path && resolve(performance.now())
      })
      const began = performance.now()
      await api.ask('PATCH', deployment, probe(path))
      return (await seen) - began
    })
    watching[Symbol.dispose]()

    say('the observer that judges the lab')
    let hear = (_verdict: Verdict, _at: number) => {}
    const judged = (definition: LabDefinition, name: string) =>
      Observer.start({
        sandbox,
        lab: definition,
        startedAt: 0,
        changesFile: `${folder}/${name}.jsonl`,
        onVerdict: (verdict) => hear(verdict, performance.now()),
        onFault: (fault) => say(String('error' in fault ? fault.error : fault)),
      })
    const answers: number[] = []
    const change = (name: string) => async (index: number) => {
      const path = `/${name}-${index}`
      const seen = new Promise<number>((resolve) => {
        hear = (verdict, at) => JSON.stringify(verdict).includes(path) && resolve(at)
      })
      const began = performance.now()
      await api.ask('PATCH', deployment, probe(path))
      const answered = performance.now()
      const at = await seen
      answers.push(at - answered)
      return at - began
    }
    const { provoke, ...looking } = lab.definition
    const calm = await judged(looking, 'calm')
    const verdicts = await sample(times, change('calm'))
    await calm[Symbol.asyncDispose]()
    const fromAnswer = answers.splice(0)

    say('the same while a copy of the cluster is provoked')
    const busy = await judged({ ...looking, ...(provoke ? { provoke } : {}) }, 'busy')
    const provoked = await sample(20, async (index) => {
      await new Promise((resolve) => setTimeout(resolve, 450))
      return change('busy')(index)
    })
    await busy[Symbol.asyncDispose]()
    await engine.destroy('judged')

    say('in the browser: from kubectl’s word to the task on the page')
    const product = cleanup.use(await startProduct(folder))
    const guest = await product.guest()
    const { attempt } = await guest.startReady({ lab: labName })
    using terminal = await guest.attach(attempt, await guest.openTerminal(attempt))
    await terminal.until((text) => text.includes('$ '))
    let onPage = (_text: string, _at: number) => {}
    const stop = new AbortController()
    const following = guest.follow(
      attempt,
      (event, at) => event.type === 'verdict' && onPage(JSON.stringify(event.verdict), at),
      stop.signal,
    )
    following.catch((error: unknown) => say(String(error)))
    const page = await sample(20, async (index) => {
      const path = `/page-${index}`
      const seen = new Promise<number>((resolve) => {
        onPage = (text, at) => text.includes(path) && resolve(at)
      })
      terminal.text = ''
      terminal.type(`kubectl patch deployment shop -p '${JSON.stringify(probe(path))}'\r`)
      await terminal.until((text) => text.includes('shop patched'))
      const printed = performance.now()
      // the task may turn before kubectl has said its word
      return Math.max(0, (await seen) - printed)
    })
    stop.abort()
    return [
      ...percentileRows('change sent to verdict', 'ms', verdicts, { what: 'bare watch', samples: watch }),
      ...percentileRows('change answered to verdict', 'ms', fromAnswer, { what: 'bare watch', samples: watch }, 200),
      ...percentileRows('change sent to verdict while provoking', 'ms', provoked, { what: 'bare watch', samples: watch }, 200),
      ...percentileRows('kubectl’s word to the task on the page', 'ms', page, { what: 'bare watch', samples: watch }, 200),
    ]
  },
}

function probe(path: string) {
  return { spec: { template: { spec: { containers: [{ name: 'shop', readinessProbe: { httpGet: { path, port: 'http' } } }] } } } }
}

function pathIn(event: unknown): string {
  return /"readinessProbe":\{"httpGet":\{"path":"([^"]+)"/.exec(JSON.stringify(event))?.[1] ?? ''
}
