import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs, promisify } from 'node:util'
import { prepareTools } from '../../terminal/tools.ts'
import { conformancePage } from './document.ts'
import { countBySig, type Result, readResults } from './report.ts'

const usage = `usage: npm run conformance -- [--focus REGEXP] [--procs N] [--nodes N] [--kubeconfig FILE] [--report DIR] [--write]
  --focus       only tests whose name fits (a regular expression): 'sig-auth', 'AdmissionWebhook'
  --procs       how many tests at once; 4 unless told
  --nodes       of the cluster that is started; 3 unless told
  --kubeconfig  of a cluster that runs already, instead of starting one
  --report      the folder for reports and logs; a new one under the system's temporary folder unless told
  --write       renews docs/conformance.md`

const root = resolve(import.meta.dirname, '../../..')

/** Runs Kubernetes' conformance tests against an embedded cluster and prints what passes by SIG and each failure. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      focus: { type: 'string', default: '' },
      procs: { type: 'string', default: '4' },
      nodes: { type: 'string', default: '3' },
      kubeconfig: { type: 'string' },
      report: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help || ![values.procs, values.nodes].every((text) => /^[1-9]\d*$/.test(text))) {
    console.error(usage)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const suite = process.env['CONFORMANCE_DIR'] ?? resolve(root, '../shared/conformance')
  if (!existsSync(join(suite, 'build'))) {
    console.error(
      `The conformance suite is not at ${suite}. Set CONFORMANCE_DIR to the folder whose program "build" compiles it and prints where ginkgo and e2e.test are.`,
    )
    process.exitCode = 2
    return
  }
  const folder = values.report ? resolve(values.report) : await mkdtemp(join(tmpdir(), 'conformance-'))
  await mkdir(folder, { recursive: true })
  const tools = await prepareTools(join(root, '.cache'), '1.34')
  await using cluster = values.kubeconfig ? undefined : await startCluster(folder, values.nodes)
  const kubeconfig = values.kubeconfig ? resolve(values.kubeconfig) : (cluster as RunningCluster).kubeconfig
  const env = { ...process.env, PATH: `${join(tools.folder, 'bin')}${delimiter}${process.env['PATH'] ?? ''}` }
  await runSuite(await built(join(suite, 'build')), { kubeconfig, folder, focus: values.focus, procs: values.procs, env })
  const results = await readResults(folder)
  print(results, folder)
  if (!values.write) return
  const page = join(root, 'docs', 'conformance.md')
  await writeFile(page, conformancePage(results, existsSync(page) ? await readFile(page, 'utf8') : undefined))
}

interface RunningCluster extends AsyncDisposable {
  kubeconfig: string
}

/** A cluster in a process of its own, so that the suite does not wait for this one; its log lies among the reports. */
async function startCluster(folder: string, nodes: string): Promise<RunningCluster> {
  const kubeconfig = join(folder, 'kubeconfig')
  await using log = await open(join(folder, 'cluster.log'), 'w')
  const program = join(root, 'sandbox', 'embedded', 'cli.ts')
  const child = spawn(process.execPath, [program, '--kubeconfig', kubeconfig, '--nodes', nodes], { stdio: ['ignore', 'pipe', log.fd] })
  await ready(child, folder)
  return {
    kubeconfig,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) {
        console.error(`The cluster ended before the suite did, with code ${child.exitCode}: see ${join(folder, 'cluster.log')}`)
        return
      }
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function ready(child: ChildProcess, folder: string): Promise<void> {
  if (!child.stdout) throw new Error('the cluster has no output')
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith('ready:')) return
  }
  throw new Error(`the cluster has not started: see ${join(folder, 'cluster.log')}`)
}

/** The folder with the compiled suite and its runner. */
async function built(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, { maxBuffer: 2 ** 24 })
  return stdout.trim().split('\n').at(-1) ?? ''
}

interface SuiteRun {
  kubeconfig: string
  folder: string
  focus: string
  procs: string
  env: NodeJS.ProcessEnv
}

/** First the tests that may run side by side, then those that must not, each with a report of its own. */
async function runSuite(bin: string, { kubeconfig, folder, focus, procs, env }: SuiteRun): Promise<void> {
  const common = ['--no-color', '--silence-skips', '--keep-going', `--output-dir=${folder}`, `--timeout=${env['TIMEOUT'] ?? '2h'}`]
  const suite = [
    '--provider=skeleton',
    `--kubeconfig=${kubeconfig}`,
    '--allowed-not-ready-nodes=-1',
    '--disable-log-dump',
    '--node-schedulable-timeout=30s',
  ]
  for (const [name, labels, more] of [
    ['parallel', 'Conformance && !(Serial || Disruptive)', [`--procs=${procs}`]],
    ['serial', 'Conformance && (Serial || Disruptive)', []],
  ] as const) {
    const chosen = [`--label-filter=${labels}`, ...(focus ? [`--focus=${focus}`] : []), `--json-report=report-${name}.json`]
    await using log = await open(join(folder, `${name}.log`), 'w')
    const args = [...common, ...more, ...chosen, join(bin, 'e2e.test'), '--', ...suite]
    const child = spawn(join(bin, 'ginkgo'), args, { env, stdio: ['ignore', log.fd, log.fd] })
    // Its code tells of failures, which the reports tell better.
    await once(child, 'close')
  }
}

function print(results: readonly Result[], folder: string): void {
  for (const { sig, passed, failed, total } of countBySig(results)) {
    const rest = total - passed - failed
    console.log(`${sig.padEnd(20)} ${passed}/${total}${failed ? `, ${failed} failed` : ''}${rest ? `, ${rest} not run` : ''}`)
  }
  const failures = results.filter(({ state }) => state === 'failed')
  for (const { title, why } of failures) console.log(`failed  ${title}\n        ${why}`)
  const passed = results.filter(({ state }) => state === 'passed').length
  console.log(`reports and logs: ${folder}`)
  console.log(`${passed} passed, ${failures.length} failed, of ${results.length}`)
  process.exitCode = failures.length > 0 || passed === 0 ? 1 : 0
}

await main()
