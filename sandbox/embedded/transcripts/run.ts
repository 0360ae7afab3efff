import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

/** Commands that one person would type one after the other in a namespace of their own, named after the group. */
export interface Group {
  name: string
  /** Files in the folder in which the commands run, by name. */
  files?: Record<string, string>
  steps: Step[]
  /** Touches what is not in its namespace, so that no other group may run beside it. */
  alone?: true
}

/** A command line of which everything is compared, or one that only brings the cluster to where the next can be. */
export type Step = string | { settle: string }

export interface Entry {
  command: string
  code: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  /** The folder with kubectl. */
  tools: string
  kubeconfig: string
}

/** ms; a command that takes longer is ended, and its transcript says so by its code. */
const longest = 90_000
/** Groups side by side. */
const width = 5

/**
 * Runs groups against a cluster, a few side by side. Resolves with what every compared command wrote; the namespaces are
 * gone or going when it does.
 */
export async function runGroups(groups: readonly Group[], options: RunOptions): Promise<Record<string, Entry[]>> {
  const entries: Record<string, Entry[]> = {}
  const waiting = groups.filter(({ alone }) => !alone)
  const lane = async () => {
    for (let group = waiting.shift(); group; group = waiting.shift()) entries[group.name] = await runGroup(group, options)
  }
  await Promise.all(Array.from({ length: width }, lane))
  for (const group of groups.filter(({ alone }) => alone)) entries[group.name] = await runGroup(group, options)
  return entries
}

async function runGroup(group: Group, { tools, kubeconfig }: RunOptions): Promise<Entry[]> {
  const namespace = `t-${group.name}`
  const folder = await mkdtemp(join(tmpdir(), 'transcripts-'))
  const config = join(folder, '.kube', 'config')
  try {
    await mkdir(dirname(config))
    await writeFile(config, await readFile(kubeconfig))
    for (const [name, text] of Object.entries(group.files ?? {})) await writeFile(join(folder, name), text, { mode: 0o755 })
    const environment: NodeJS.ProcessEnv = {
      NODE_ENV: process.env.NODE_ENV,
      PATH: [tools, process.env['PATH']].join(delimiter),
      HOME: folder,
      KUBECONFIG: config,
      KUBE_EDITOR: './editor.sh',
      LC_ALL: 'C',
      TZ: 'UTC',
    }
    const run = (command: string) => runCommand(command, folder, environment)
    await run(`kubectl config set-context --current --namespace=${namespace}`)
    await run(`kubectl create namespace ${namespace} && kubectl wait --for=create serviceaccount/default --timeout=20s`)
    const entries: Entry[] = []
    for (const step of group.steps) {
      if (typeof step === 'string') entries.push(await run(step))
      else await run(step.settle)
    }
    await run(`kubectl delete namespace ${namespace} --wait=false`)
    return entries
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs a line in bash, without input, for at most `timeout` ms; then it ends with code 124, and all that it started with it. */
export function runCommand(command: string, cwd: string, env: NodeJS.ProcessEnv, timeout = longest): Promise<Entry> {
  return new Promise((resolve) => {
    const argv = [`${timeout / 1_000}s`, 'bash', '-c', command]
    const child = execFile('timeout', argv, { cwd, env, maxBuffer: 16 * 2 ** 20 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0
      resolve({ command, code, stdout, stderr })
    })
    child.stdin?.end()
  })
}
