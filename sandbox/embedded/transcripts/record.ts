import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepareTools } from '../../terminal/tools.ts'
import { groups } from './commands.ts'
import { normalise } from './normalise.ts'
import { type Entry, runGroups } from './run.ts'

const usage = `usage: KUBECONFIG=FILE node record.ts [GROUP ...]

Runs the commands of commands.ts on the real cluster that KUBECONFIG leads to (one node; every group makes a namespace t-GROUP
and deletes it) and writes what they answered to recorded.json. With names it records these groups alone.`

/** Where the answers of a real cluster are kept. */
const file = new URL('recorded.json', import.meta.url)

async function main(): Promise<void> {
  const kubeconfig = process.env['KUBECONFIG']
  const names = process.argv.slice(2)
  const unknown = names.filter((name) => !groups.some((group) => group.name === name))
  if (!kubeconfig || unknown.length > 0) {
    console.error(unknown.length > 0 ? `no group is called ${unknown.join(', ')}` : usage)
    process.exitCode = 2
    return
  }
  const cache = await mkdtemp(join(tmpdir(), 'transcripts-tools-'))
  try {
    const { folder } = await prepareTools(cache)
    const chosen = names.length > 0 ? groups.filter(({ name }) => names.includes(name)) : groups
    const known = names.length > 0 ? (JSON.parse(await readFile(file, 'utf8')) as Record<string, Entry[]>) : {}
    const recorded = await runGroups(chosen, { tools: join(folder, 'bin'), kubeconfig })
    for (const { name } of chosen) known[name] = (recorded[name] ?? []).map(normalise)
    const ordered = Object.fromEntries(groups.flatMap(({ name }) => (known[name] ? [[name, known[name]]] : [])))
    await writeFile(file, `${JSON.stringify(ordered, null, 1)}\n`)
    console.log(`${Object.values(recorded).flat().length} commands recorded`)
  } finally {
    await rm(cache, { recursive: true, force: true })
  }
}

await main()
