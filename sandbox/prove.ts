import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Verdict } from './check/kit.ts'
import { Observer } from './check/observer.ts'
import { EmbeddedEngine } from './embedded/engine/engine.ts'
import type { Engine, Sandbox } from './engine.ts'
import { type Lab, loadLabs, runStartScript } from './supervisor/labs.ts'
import { prepareTools } from './terminal/tools.ts'

/**
 * `npm run lab:prove -- [slug ...] [--engine NAME]`: proves that a lab's checks fail before the work, pass after
 * solution.sh and reject every wrong/*.sh, each in a sandbox of its own, with the shell a learner has.
 */
const root = join(import.meta.dirname, '..')
/** Cluster seconds per real second while a script runs, on engines with a clock of their own. */
const rate = 20
/** What a cluster gets to settle after a script: cluster ms. */
const settleStep = 10_000
const patience = 420_000
const wrongSettles = 180_000
const scriptTimeout = 170_000
const atOnce = 2

let count = 0

await main(process.argv.slice(2))

async function main(args: string[]): Promise<void> {
  const named = args.indexOf('--engine')
  const engineName = named >= 0 ? args.splice(named, 2)[1] : 'embedded'
  const verbose = args.includes('--verbose')
  const slugs = args.filter((arg) => !arg.startsWith('--'))
  const labs = await loadLabs(join(root, 'labs'))
  const unknown = slugs.find((slug) => !labs.has(slug))
  if (unknown) return fail(`There is no lab ${unknown}. There are: ${[...labs.keys()].join(', ')}`)
  if (engineName !== 'embedded') return fail(`There is no engine ${engineName} on this machine. There is: embedded`)
  const folder = await mkdtemp(join(tmpdir(), 'prove-'))
  const tools = await prepareTools(join(root, '.cache'))
  const engine = await EmbeddedEngine.start({
    dir: join(folder, 'sandboxes'),
    tools: tools.folder,
    allowNoJail: true,
    onFault: (fault) => console.error(`  ! ${fault}`),
  })
  const tally = { passed: 0, failed: 0 }
  const proofs = [...labs.values()].filter((lab) => slugs.length === 0 || slugs.includes(lab.definition.slug)).flatMap(proofsOf)
  try {
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let proof = proofs.shift(); proof; proof = proofs.shift()) {
          const began = performance.now()
          const problem = await prove(engine, proof, folder, verbose).catch((error: Error) => error.stack ?? error.message)
          tally[problem ? 'failed' : 'passed']++
          console.log(
            `${problem ? 'FAIL' : 'ok  '} ${proof.name} (${((performance.now() - began) / 1000).toFixed(1)} s)${problem ? `\n${indent(problem)}` : ''}`,
          )
        }
      }),
    )
  } finally {
    await engine[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed`)
  process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0
}

interface Proof {
  name: string
  lab: Lab
  script: string | null
  expects: 'nothing passes' | 'everything passes' | 'something fails'
}

function proofsOf(lab: Lab): Proof[] {
  const { slug } = lab.definition
  return [
    { name: `${slug}: no points at the start`, lab, script: null, expects: 'nothing passes' },
    { name: `${slug}: solution.sh passes every task`, lab, script: lab.solution, expects: 'everything passes' },
    ...lab.wrong.map(
      (name): Proof => ({
        name: `${slug}: wrong/${name} is rejected`,
        lab,
        script: join(lab.folder, 'wrong', name),
        expects: 'something fails',
      }),
    ),
  ]
}

/** Returns what is wrong, or null. */
async function prove(engine: Engine, { lab, script, expects }: Proof, folder: string, verbose: boolean): Promise<string | null> {
  const id = `prove-${process.pid}-${++count}`
  const { definition, manifests, homeFiles } = lab
  const sandbox = await engine.create(
    {
      id,
      nodes: definition.nodes ?? 3,
      clockRate: rate,
      seed: count,
      ...(manifests ? { manifests } : {}),
      ...(homeFiles ? { homeFiles } : {}),
    },
    () => undefined,
  )
  const faults: string[] = []
  try {
    await runStartScript(lab, sandbox)
    const observer = await Observer.start({
      sandbox,
      lab: definition,
      startedAt: await sandbox.now(),
      changesFile: join(folder, `${id}.jsonl`),
      onVerdict: () => undefined,
      onFault: (fault) =>
        faults.push(
          `${'criterion' in fault ? fault.criterion : fault.where}: ${fault.error instanceof Error ? fault.error.message : String(fault.error)}`,
        ),
    })
    await using _ending = observer
    // a learner reads first: what the lab starts with has settled by then
    await pass(sandbox, 90_000)
    let said = ''
    if (script) {
      const result = await sandbox.exec(['bash', '-s'], { stdin: await readFile(script, 'utf8'), timeout: scriptTimeout })
      said = `${result.stdout}${result.stderr}`
      if (result.exitCode !== 0) return `the script ended with ${result.exitCode}:\n${said}`
    }
    let { verdict } = await observer.conclude()
    if (expects === 'everything passes')
      for (let waited = 0; verdict.points < verdict.maxPoints && waited < patience; waited += settleStep) {
        await pass(sandbox, settleStep)
        verdict = (await observer.conclude()).verdict
      }
    if (expects === 'something fails') {
      await pass(sandbox, wrongSettles)
      verdict = (await observer.conclude()).verdict
    }
    if (verbose) console.log(`${definition.slug} ${script ?? 'start'}\n${indent(said)}\n${indent(tabulate(verdict))}`)
    if (faults.length > 0) return `a check failed by itself:\n${[...new Set(faults)].join('\n')}`
    return problemOf(expects, verdict, said)
  } finally {
    await engine.destroy(id)
  }
}

function problemOf(expects: Proof['expects'], verdict: Verdict, said: string): string | null {
  const passing = verdict.tasks.filter((task) => task.state === 'pass')
  if (expects === 'nothing passes')
    return passing.length === 0 && verdict.points === 0 ? null : `gives points without any work\n${tabulate(verdict)}`
  if (expects === 'everything passes')
    return passing.length === verdict.tasks.length ? null : `not everything passes:\n${tabulate(verdict)}\n${said}`
  return passing.length < verdict.tasks.length ? null : `it is taken for right:\n${tabulate(verdict)}\n${said}`
}

function tabulate(verdict: Verdict): string {
  const rows = verdict.tasks.flatMap((task) => [
    `${task.id} ${task.state} ${task.points}/${task.maxPoints}`,
    ...task.criteria.map(
      (criterion) =>
        `  ${criterion.id} ${criterion.state} ${criterion.points}/${criterion.maxPoints}${criterion.observed ? `  expected: ${criterion.expected?.en ?? '-'}; observed: ${criterion.observed.en}` : ''}`,
    ),
  ])
  return rows.join('\n')
}

async function pass(sandbox: Sandbox, ms: number): Promise<void> {
  if (sandbox.advance) await sandbox.advance(ms)
  else await new Promise((resolve) => setTimeout(resolve, ms))
}

function indent(text: string): string {
  return text.trim().replace(/^/gm, '    ')
}

function fail(sentence: string): void {
  console.error(sentence)
  process.exitCode = 1
}
