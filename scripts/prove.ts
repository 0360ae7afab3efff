import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Verdict } from '../sandbox/check/kit.ts'
import { Observer } from '../sandbox/check/observer.ts'
import { EmbeddedEngine } from '../sandbox/embedded/engine/engine.ts'
import type { Capabilities, Capability, Engine, EngineName, Sandbox } from '../sandbox/engine.ts'
import { HostsEngine } from '../sandbox/hosts/engine.ts'
import { KindEngine } from '../sandbox/kind/engine.ts'
import { type Lab, loadLabs, runStartScript } from '../sandbox/supervisor/labs.ts'
import { runScript } from '../sandbox/supervisor/script.ts'
import { prepareTools } from '../sandbox/terminal/tools.ts'
import { readConfig } from '../server/config.ts'
import { openKind } from '../server/sandboxes.ts'

/**
 * `npm run lab:prove -- [slug ...] [--engine NAME[,NAME ...]]`: proves that a lab's checks fail before the work, pass after
 * solution.sh and reject every wrong/*.sh, each in a sandbox of its own, with the shell a learner has. A lab is proven on
 * the engines that it names, one that names none on the embedded one; with --engine on those of them that it can run on.
 * Wrong answers are tried on the first of them alone. What this machine does not have is told and skipped. Kind is set by the
 * same settings as the server's.
 */
const root = join(import.meta.dirname, '..')
/** Cluster seconds per real second while a script runs, on engines with a clock of their own. */
const rate = 20
const scriptTimeout = 170_000

interface EngineOfProofs {
  open(folder: string): Promise<Engine>
  /** Sandboxes at the same time. */
  atOnce: number
  /** What a cluster gets before the script, after a wrong one, and at most after the right one (in steps of so much): cluster ms. */
  settles: { start: number; wrong: number; patience: number; step: number }
}

/** In the order in which they are proven. */
const engines: Partial<Record<EngineName, EngineOfProofs>> = {
  embedded: {
    open: async (folder) =>
      EmbeddedEngine.start({
        dir: join(folder, 'sandboxes'),
        tools: (await prepareTools(join(root, '.cache'))).folder,
        allowNoJail: true,
        onFault: (fault) => console.error(`  ! ${fault}`),
      }),
    atOnce: 2,
    settles: { start: 90_000, wrong: 180_000, patience: 420_000, step: 10_000 },
  },
  hosts: {
    open: (folder) => HostsEngine.start({ dir: join(folder, 'hosts'), onFault: (fault) => console.error(`  ! ${fault}`) }),
    atOnce: 2,
    settles: { start: 0, wrong: 0, patience: 10_000, step: 1_000 },
  },
  kind: {
    open: (folder) => openKind({ ...readConfig(process.env), dataDir: folder }, (fault) => console.error(`  ! ${fault}`)),
    // its time is real, and a cluster is a machine
    atOnce: 1,
    settles: { start: 10_000, wrong: 45_000, patience: 240_000, step: 5_000 },
  },
}

let count = 0

await main(process.argv.slice(2))

async function main(args: string[]): Promise<void> {
  const asked = optionsOf(args)
  if (asked instanceof Error) return fail(`${asked.message}\nUse: npm run lab:prove -- [SLUG ...] [--engine NAME[,NAME]] [--verbose]`)
  const { engine: named, verbose, slugs } = asked
  const names = named?.split(',') ?? Object.keys(engines)
  const labs = await loadLabs(join(root, 'labs'))
  const unknown = slugs.find((slug) => !labs.has(slug))
  if (unknown) return fail(`There is no lab ${unknown}. There are: ${[...labs.keys()].join(', ')}`)
  const strange = names.find((name) => !(name in engines))
  if (strange !== undefined) return fail(`There is no engine "${strange}" here. There are: ${Object.keys(engines).join(', ')}`)
  const chosen = [...labs.values()].filter((lab) => slugs.length === 0 || slugs.includes(lab.definition.slug))
  const tally = { passed: 0, failed: 0 }
  const rejected = new Set<string>()
  for (const name of names as EngineName[]) {
    const wanted = chosen.filter(({ definition }) => (definition.engines ?? (named !== undefined ? [name] : ['embedded'])).includes(name))
    if (wanted.length > 0) await proveAll(name, engines[name] as EngineOfProofs, wanted, { tally, rejected }, verbose)
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed`)
  process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0
}

function optionsOf(args: string[]): { engine?: string; verbose: boolean; slugs: string[] } | Error {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { engine: { type: 'string' }, verbose: { type: 'boolean', default: false } },
    })
    return { ...values, slugs: positionals }
  } catch (error) {
    return error as Error
  }
}

/** Every proof of the labs that this engine is for; says which ones it cannot run, and why. */
async function proveAll(
  name: EngineName,
  from: EngineOfProofs,
  labs: readonly Lab[],
  { tally, rejected }: { tally: { passed: number; failed: number }; rejected: Set<string> },
  verbose: boolean,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'prove-'))
  const engine = await from.open(folder)
  const close = async () => {
    await (engine instanceof KindEngine ? engine.removeAll() : engine[Symbol.asyncDispose]())
    await rm(folder, { recursive: true, force: true })
  }
  const stop = (signal: NodeJS.Signals) => void close().finally(() => process.exit(128 + constants.signals[signal]))
  process.on('SIGINT', stop).on('SIGTERM', stop)
  try {
    const capabilities = await engine.capabilities()
    const proofs: Proof[] = []
    for (const { definition, ...lab } of labs) {
      const missing = definition.needs.filter((need: Capability) => capabilities[need] !== true)
      const proven = proofsOf({ definition, ...lab }).filter(
        ({ expects }) => expects !== 'something fails' || !rejected.has(definition.slug),
      )
      if (missing.length === 0) proofs.push(...proven)
      else console.log(`skip ${definition.slug} on ${name}: ${missing.map((need) => sentenceOf(capabilities[need])).join(' ')}`)
    }
    for (const { lab } of proofs) rejected.add(lab.definition.slug)
    await Promise.all(
      Array.from({ length: from.atOnce }, async () => {
        for (let proof = proofs.shift(); proof; proof = proofs.shift()) {
          const began = performance.now()
          const problem = await prove(engine, from.settles, proof, folder, verbose).catch((error: Error) => error.stack ?? error.message)
          tally[problem ? 'failed' : 'passed']++
          const took = `${name}, ${((performance.now() - began) / 1000).toFixed(1)} s`
          console.log(`${problem ? 'FAIL' : 'ok  '} ${proof.name} (${took})${problem ? `\n${indent(problem)}` : ''}`)
        }
      }),
    )
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
    await close()
  }
}

function sentenceOf(has: Capabilities[Capability]): string {
  return has === true ? '' : has.en
}

interface Proof {
  name: string
  lab: Lab
  script: string
  expects: 'everything passes' | 'something fails'
}

function proofsOf(lab: Lab): Proof[] {
  const { slug } = lab.definition
  return [
    { name: `${slug}: no points at the start, solution.sh passes every task`, lab, script: lab.solution, expects: 'everything passes' },
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
async function prove(
  engine: Engine,
  settles: EngineOfProofs['settles'],
  { lab, script, expects }: Proof,
  folder: string,
  verbose: boolean,
): Promise<string | null> {
  const id = `prove-${process.pid}-${++count}`
  const { definition, manifests, homeFiles } = lab
  const sandbox = await engine.create(
    {
      id,
      nodes: definition.nodes ?? 3,
      clockRate: rate,
      seed: count,
      ...(definition.shape ? { shape: definition.shape } : {}),
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
    await pass(sandbox, settles.start)
    if (expects === 'everything passes') {
      const { verdict: before } = await observer.conclude()
      if (before.points > 0 || before.tasks.some((task) => task.state === 'pass'))
        return `gives points without any work\n${tabulate(before)}`
    }
    const { exitCode, stdout, stderr } = await runScript(sandbox, await readFile(script, 'utf8'), { timeout: scriptTimeout })
    const said = `${stdout}${stderr}`
    if (exitCode !== 0) return `the script ended with ${exitCode}:\n${said}`
    let { verdict } = await observer.conclude()
    if (expects === 'everything passes')
      for (let waited = 0; verdict.points < verdict.maxPoints && waited < settles.patience; waited += settles.step) {
        await pass(sandbox, settles.step)
        verdict = (await observer.conclude()).verdict
      }
    if (expects === 'something fails') {
      await pass(sandbox, settles.wrong)
      verdict = (await observer.conclude()).verdict
    }
    if (verbose) console.log(`${definition.slug} ${script}\n${indent(said)}\n${indent(tabulate(verdict))}`)
    if (faults.length > 0) return `a check failed by itself:\n${[...new Set(faults)].join('\n')}`
    return problemOf(expects, verdict, said)
  } finally {
    await engine.destroy(id)
  }
}

function problemOf(expects: Proof['expects'], verdict: Verdict, said: string): string | null {
  const passing = verdict.tasks.filter((task) => task.state === 'pass')
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
