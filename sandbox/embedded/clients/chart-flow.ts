import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Tools {
  kubectl: string
  helm: string
  kubeconfig: string
  namespace: string
  /** Where helm keeps what it keeps. */
  home: string
}

export interface Step {
  what: string
  code: number
  /** What helm said, without times. */
  said: string[]
  /** Jobs made and removed meanwhile, in order. */
  jobs: string[]
  /** What is there afterwards. */
  objects: string[]
}

/** A release of our own chart from its installation to its end, as a cluster has it: the same on any. */
export async function chartFlow(tools: Tools): Promise<Step[]> {
  const chart = join(import.meta.dirname, 'chart')
  const { kubectl, helm, namespace } = tools
  const env = { PATH: process.env['PATH'], HOME: tools.home, KUBECONFIG: tools.kubeconfig } as unknown as NodeJS.ProcessEnv
  const run = (program: string, args: readonly string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(program, ['--namespace', namespace, ...args], { env, timeout: 180_000 }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      )
    })
  const jobs: string[] = []
  await run(kubectl, ['create', 'namespace', namespace])
  const format = ['--watch', '--output-watch-events', '-o', 'jsonpath={.type} {.object.metadata.name}{"\\n"}']
  const watch = spawn(kubectl, ['--namespace', namespace, 'get', 'jobs', ...format], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  createInterface({ input: watch.stdout }).on('line', (line) => {
    if (!line.startsWith('MODIFIED')) jobs.push(line)
  })
  /** A Job of the test's own is a mark in the watch: all that was before it has been heard when it is. */
  const heard = async (mark: string) => {
    await run(kubectl, ['create', 'job', mark, '--image=busybox:1.36', '--', 'true'])
    while (!jobs.includes(`ADDED ${mark}`)) await new Promise((resolve) => setTimeout(resolve, 20))
    await run(kubectl, ['delete', 'job', mark])
    while (!jobs.includes(`DELETED ${mark}`)) await new Promise((resolve) => setTimeout(resolve, 20))
    return jobs.splice(0).filter((line) => !line.endsWith(mark))
  }
  const steps: Step[] = []
  const step = async (what: string, ...args: string[]) => {
    const { code, stdout, stderr } = await run(helm, args)
    const said = `${stdout}${stderr}`.split('\n').flatMap((line) => plain(line))
    const made = await heard(`mark-${steps.length}`)
    const { stdout: objects } = await run(kubectl, ['get', kinds, '-o', 'name'])
    const left = objects.split('\n').filter((name) => name !== '' && !/sh\.helm\.release|kube-root-ca/.test(name))
    steps.push({ what, code, said, jobs: made, objects: left.sort() })
  }
  const password = async () => (await run(kubectl, ['get', 'secret', 'shop-password', '-o', 'jsonpath={.data.password}'])).stdout
  const wait = ['--wait', '--timeout', '120s']
  await heard('mark')
  try {
    await step('install', 'install', 'shop', chart, ...wait)
    const first = await password()
    await step('test', 'test', 'shop', '--logs')
    await step('upgrade', 'upgrade', 'shop', chart, '--set', 'replicas=2,greeting=welcome', ...wait)
    await step('failing upgrade', 'upgrade', 'shop', chart, '--set', 'failing=second', ...wait)
    await step('rollback', 'rollback', 'shop', '2', ...wait)
    await step('refused upgrade', 'upgrade', 'shop', chart, '--set', `greeting=${'long'.repeat(11)}`)
    await step('history', 'history', 'shop')
    const values = await run(kubectl, ['get', 'cm/shop-settings', 'notice/shop', '-o', 'jsonpath={.items[*].data}{.items[*].spec.text}'])
    steps.push({
      what: 'values',
      code: values.code,
      said: [values.stdout, `same password: ${first !== '' && first === (await password())}`],
      jobs: [],
      objects: [],
    })
    await step('uninstall', 'uninstall', 'shop', ...wait)
  } finally {
    watch.kill()
    if (watch.exitCode === null && watch.signalCode === null) await once(watch, 'exit')
    await run(kubectl, ['delete', 'namespace', namespace])
    await run(kubectl, ['delete', 'crd', 'notices.shop.example.com'])
  }
  return steps
}

const kinds = 'configmap,secret,service,deployment,statefulset,job,persistentvolumeclaim,poddisruptionbudget,notices.shop.example.com'

/** A line of helm's without what differs from run to run; none for one that says only that. */
function plain(line: string): string[] {
  if (/^(LAST DEPLOYED|Last Started|Last Completed|NAMESPACE|I\d{4} |level=|time=)/.test(line) || line.trim() === '') return []
  return [line.replace(/\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}/, '<time>').trimEnd()]
}
