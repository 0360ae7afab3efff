import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { LabDefinition } from '../check/kit.ts'
import type { Sandbox } from '../engine.ts'
import { nameNodes } from './node-names.ts'
import { runScript } from './script.ts'

/** A lab as it stands in its folder. */
export interface Lab {
  definition: LabDefinition
  folder: string
  /** YAML of start/*.yaml in the order of their names, as one text; '' for none. */
  manifests: string
  /** start/home, whose files the learner finds at home; null for none. */
  homeFiles: string | null
  /** start.sh, for a start that manifests cannot tell (a Helm release, an object changed by hand); null for none. */
  startScript: string | null
  solution: string
  /** File names under wrong/, in order. */
  wrong: string[]
  /** Of everything in the folder: two labs of the same digest judge alike. */
  digest: string
}

const startTimeout = 120_000

/** Loads every lab of a folder, by slug. Rejects with the file's name at the first that cannot be loaded. */
export async function loadLabs(folder: string): Promise<Map<string, Lab>> {
  const labs = new Map<string, Lab>()
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1)))
    if (entry.isDirectory()) labs.set(entry.name, await loadLab(join(folder, entry.name), entry.name))
  return labs
}

/**
 * Runs the lab's start.sh in the toolbox and on the nodes it names, with the start's manifests applied and start/home at home,
 * before the lab is given to its learner; before it, where the lab allows node shells, the nodes learn each other's short names.
 * Rejects with what the script said when it fails.
 */
export async function runStartScript(lab: Lab, sandbox: Sandbox): Promise<void> {
  if (lab.definition.needs.includes('node-shell') && sandbox.engine !== 'hosts') await nameNodes(sandbox)
  if (lab.startScript === null) return
  const script = await readFile(lab.startScript, 'utf8')
  const { exitCode, stdout, stderr } = await runScript(sandbox, script, { timeout: startTimeout, strict: true })
  if (exitCode !== 0) throw new Error(`start.sh of ${lab.definition.slug} ended with ${exitCode}: ${`${stdout}${stderr}`.trim()}`)
}

async function loadLab(folder: string, slug: string): Promise<Lab> {
  const file = join(folder, 'lab.ts')
  const { lab } = (await import(pathToFileURL(file).href).catch((cause) => {
    throw new Error(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  })) as { lab?: LabDefinition }
  if (!lab) throw new Error(`${file} exports no "lab"`)
  if (lab.slug !== slug) throw new Error(`${file}: its slug is ${lab.slug}, its folder ${slug}`)
  const start = await names(join(folder, 'start'))
  const manifests = await Promise.all(
    start.filter((name) => name.endsWith('.yaml')).map((name) => readFile(join(folder, 'start', name), 'utf8')),
  )
  return {
    definition: lab,
    folder,
    manifests: manifests.join('\n---\n'),
    homeFiles: await found(join(folder, 'start', 'home')),
    startScript: await found(join(folder, 'start.sh')),
    solution: join(folder, 'solution.sh'),
    wrong: (await names(join(folder, 'wrong'))).filter((name) => name.endsWith('.sh')),
    digest: await digestOf(folder),
  }
}

async function found(path: string): Promise<string | null> {
  return stat(path).then(
    () => path,
    () => null,
  )
}

async function names(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort()
}

async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256')
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  for (const file of files.sort())
    hash
      .update(`${relative(folder, file)}\0`)
      .update(await readFile(file))
      .update('\0')
  return `sha256:${hash.digest('hex')}`
}
