import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Benchmark, ratio, table, Unavailable } from './harness.ts'

const usage = `usage: npm run bench -- [name ...] [--json] [--list]`

/** In the order they run. Each is loaded when its turn comes, so that none carries another's memory. */
const benchmarks: Record<string, () => Promise<{ benchmark: Benchmark }>> = {
  page: () => import('./page.bench.ts'),
  sandbox: () => import('./sandbox.bench.ts'),
  hosts: () => import('./hosts.bench.ts'),
  verdict: () => import('./verdict.bench.ts'),
  echo: () => import('./echo.bench.ts'),
  reattach: () => import('./reattach.bench.ts'),
  memory: () => import('./memory.bench.ts'),
  many: () => import('./many.bench.ts'),
  neighbours: () => import('./neighbours.bench.ts'),
  start: () => import('./start.bench.ts'),
  api: () => import('./api.bench.ts'),
  cluster: () => import('./cluster.bench.ts'),
  kind: () => import('./kind.bench.ts'),
}

await main()

/** Runs the named benchmarks, all of them unless some are named. Exit code 2 for a name that is none, 1 when one fails. */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false }, list: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const unknown = positionals.find((name) => !Object.hasOwn(benchmarks, name))
  if (unknown !== undefined) {
    console.error(`There is no benchmark ${unknown}. There are: ${Object.keys(benchmarks).join(', ')}\n${usage}`)
    process.exitCode = 2
    return
  }
  if (values.list) {
    for (const load of Object.values(benchmarks)) {
      const { benchmark } = await load()
      console.log(`${benchmark.name.padEnd(10)} ${benchmark.about}`)
    }
    return
  }
  const say = (line: string) => void process.stderr.write(`  ${line}\n`)
  const results: object[] = []
  let open: AsyncDisposableStack | undefined
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // what a benchmark has started would go on without it
    process.once(signal, () => void open?.disposeAsync().finally(() => process.exit(130)))
  }
  for (const name of positionals.length > 0 ? positionals : Object.keys(benchmarks)) {
    const load = benchmarks[name]
    if (!load) continue
    const { benchmark } = await load()
    const began = performance.now()
    process.stderr.write(`${benchmark.name}: ${benchmark.about}\n`)
    const folder = await mkdtemp(join(tmpdir(), 'bench-'))
    try {
      await using cleanup = new AsyncDisposableStack()
      open = cleanup
      const rows = await benchmark.run({ say, folder, cleanup })
      results.push({ name, rows: rows.map((row) => ({ ...row, ratio: ratio(row) })) })
      if (!values.json) console.log(`\n${name}\n${table(rows)}\n`)
    } catch (error) {
      if (error instanceof Unavailable && positionals.length === 0) {
        say(`skipped: ${error.message}`)
        continue
      }
      process.exitCode = 1
      console.error(`${name} failed: ${error instanceof Error ? error.stack : error}`)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    say(`${((performance.now() - began) / 1000).toFixed(0)} s`)
  }
  const machine = {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model ?? '',
    cpus: cpus().length,
  }
  if (values.json) console.log(JSON.stringify({ machine, results }, null, 2))
}
