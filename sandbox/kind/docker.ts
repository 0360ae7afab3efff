import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { ExecResult } from '../engine.ts'

export interface CallOptions {
  /** ms; 60 000 unless given. */
  timeout?: number
  signal?: AbortSignal
  stdin?: string | Uint8Array
  /** Leaves stdin open until the program ends or this process does. */
  holdStdin?: boolean
  environment?: Readonly<Record<string, string>>
  /** Called with each line of stderr as it comes. */
  onLine?: (line: string) => void
}

/** A call of the docker CLI that failed: the message is its own last sentence. */
export class DockerError extends Error {
  override readonly name = 'DockerError'
  readonly argv: readonly string[]
  readonly exitCode: number
  readonly stderr: string

  constructor(argv: readonly string[], exitCode: number, stderr: string) {
    const lines = stderr.trim().split('\n')
    const line = lines.findLast((one) => /error|cannot|denied|failed|no such/i.test(one)) ?? lines.at(-1)
    super(`docker ${argv[0]}: ${line || `exit ${exitCode}`}`)
    this.argv = argv
    this.exitCode = exitCode
    this.stderr = stderr
  }
}

export type ObjectKind = 'container' | 'network' | 'volume' | 'image'

export interface Container {
  Id: string
  Name: string
  Created: string
  Image: string
  State: { Status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'; Pid: number; ExitCode: number }
  Config: { Labels: Record<string, string> | null; Image: string; Hostname: string }
  Mounts: { Type: string; Name?: string; Destination: string }[]
  NetworkSettings: {
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null> | null
    Networks: Record<string, { IPAddress: string; Gateway: string; Aliases: string[] | null }>
  }
}

export interface RunOptions {
  name: string
  image: string
  labels: Readonly<Record<string, string>>
  network: string
  ip?: string
  aliases?: readonly string[]
  hostname?: string
  argv?: readonly string[]
  /** Every other flag of `docker run`, as it is written. */
  flags?: readonly string[]
}

export interface ContainerExec {
  /** ms; 30 000 unless given. The command is killed after it and exitCode is 124. */
  timeout?: number
  stdin?: string
  user?: string
  workdir?: string
  environment?: Readonly<Record<string, string>>
  signal?: AbortSignal
}

const outputLimit = 4 * 1024 * 1024

/**
 * The docker CLI, typed as far as it is used here. It finds its daemon as on the
 * command line: DOCKER_HOST, contexts, rootless sockets.
 */
export class Docker {
  /** The program's path. */
  readonly program: string

  constructor(program: string) {
    this.program = program
  }

  /** docker in PATH; null when there is none. Whether a daemon answers is not asked. */
  static async find(path = process.env['PATH'] ?? ''): Promise<Docker | null> {
    const program = await findProgram('docker', path)
    return program ? new Docker(program) : null
  }

  /** Runs the CLI and resolves with its stdout. Rejects with DockerError, or with the signal's reason. */
  async call(argv: readonly string[], options: CallOptions = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await this.spawn(argv, options)
    if (exitCode !== 0) throw new DockerError(argv, exitCode, stderr)
    return stdout
  }

  /** As call, for output that is one JSON document. */
  async json<T>(argv: readonly string[], options: CallOptions = {}): Promise<T> {
    return JSON.parse(await this.call(argv, options)) as T
  }

  /** Starts a container in the background; resolves with its id. What a failure left of it is removed. */
  async run(options: RunOptions, call: CallOptions = {}): Promise<string> {
    const flags = [
      '--detach',
      `--name=${options.name}`,
      `--network=${options.network}`,
      ...Object.entries(options.labels).map(([name, value]) => `--label=${name}=${value}`),
      ...(options.ip ? [`--ip=${options.ip}`] : []),
      ...(options.aliases ?? []).map((alias) => `--network-alias=${alias}`),
      ...(options.hostname ? [`--hostname=${options.hostname}`] : []),
      ...(options.flags ?? []),
    ]
    try {
      return (await this.call(['run', ...flags, options.image, ...(options.argv ?? [])], { timeout: 120_000, ...call })).trim()
    } catch (error) {
      await this.remove('container', [options.name])
      throw error
    }
  }

  /**
   * Runs a command in a container. Never rejects for a failing command; rejects with DockerError when the container does not
   * run. The command is ended from inside after the timeout (ending `docker exec` would leave it running).
   */
  async exec(container: string, argv: readonly string[], options: ContainerExec = {}): Promise<ExecResult> {
    const seconds = (options.timeout ?? 30_000) / 1000
    const flags = [
      '--interactive',
      ...(options.user ? [`--user=${options.user}`] : []),
      ...(options.workdir ? [`--workdir=${options.workdir}`] : []),
      ...Object.entries(options.environment ?? {}).map(([name, value]) => `--env=${name}=${value}`),
    ]
    const bounded = ['timeout', '--kill-after=1', `${seconds}`, ...argv]
    const began = performance.now()
    const result = await this.spawn(['exec', ...flags, container, ...bounded], {
      timeout: (options.timeout ?? 30_000) + 10_000,
      stdin: options.stdin ?? '',
      ...(options.signal ? { signal: options.signal } : {}),
    })
    if (result.exitCode !== 0 && /^(Error response from daemon|Error: No such container|Cannot connect)/m.test(result.stderr))
      throw new DockerError(['exec', container], result.exitCode, result.stderr)
    const late = result.exitCode === 137 && performance.now() - began >= seconds * 1000
    return late ? { ...result, exitCode: 124 } : result
  }

  /** What docker knows of these objects; those that do not exist are left out. */
  async inspect<T = Container>(kind: ObjectKind, names: readonly string[]): Promise<T[]> {
    if (names.length === 0) return []
    const { stdout, stderr, exitCode } = await this.spawn([kind, 'inspect', ...names])
    if (exitCode !== 0 && !/no such|not found|no container with|unable to find/i.test(stderr))
      throw new DockerError([kind, 'inspect'], exitCode, stderr)
    return JSON.parse(stdout.trim() || '[]') as T[]
  }

  /** Names (ids for containers) of what carries all of these labels; an empty value asks for the label alone. */
  async list(kind: ObjectKind, labels: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<string[]> {
    const filters = Object.entries(labels).map(([name, value]) => `--filter=label=${value === '' ? name : `${name}=${value}`}`)
    const quiet = kind === 'container' ? ['--all', '--no-trunc'] : kind === 'image' ? ['--no-trunc'] : []
    const text = await this.call([kind, 'ls', '--quiet', ...quiet, ...filters], options)
    return [...new Set(text.split('\n').filter(Boolean))]
  }

  /** Removes with force, containers with their anonymous volumes. What is not there counts as removed. */
  async remove(kind: ObjectKind, names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    const force = kind === 'container' ? ['--force', '--volumes'] : kind === 'network' ? [] : ['--force']
    const { exitCode, stderr } = await this.spawn([kind, 'rm', ...force, ...names], { timeout: 120_000 })
    if (exitCode === 0) return
    const problems = stderr.split('\n').filter((line) => line && !/no such|not found|already in progress|unable to find/i.test(line))
    if (problems.length > 0) throw new DockerError([kind, 'rm'], exitCode, problems.join('\n'))
  }

  /** Whether an image is in the local store. */
  async hasImage(name: string): Promise<boolean> {
    return (await this.inspect<object>('image', [name])).length > 0
  }

  /** The host's side of a port that a container publishes on 127.0.0.1; null while it has none. */
  async publishedPort(container: string, port: number): Promise<number | null> {
    const [found] = await this.inspect('container', [container])
    const binding = found?.NetworkSettings.Ports?.[`${port}/tcp`]?.[0]
    return binding ? Number(binding.HostPort) : null
  }

  private spawn(argv: readonly string[], options: CallOptions = {}): Promise<ExecResult> {
    return runProgram(this.program, argv, options)
  }
}

/**
 * Runs a program to its end. Never rejects for one that fails; exitCode is 124 after the timeout, 127 when it cannot be
 * started. Rejects with the signal's reason, once the program is gone.
 */
export function runProgram(program: string, argv: readonly string[], options: CallOptions = {}): Promise<ExecResult> {
  const { signal } = options
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const child = spawn(program, argv, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.environment },
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    let size = 0
    let late = false
    let line = ''
    const timeout = options.timeout ?? 60_000
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, timeout)
    const onAbort = () => void child.kill('SIGKILL')
    signal?.addEventListener('abort', onAbort, { once: true })
    const finish = (exitCode: number, problem = '') => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      if (signal?.aborted) return reject(signal.reason)
      resolve({ exitCode, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8') + problem })
    }
    const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length
      if (size <= outputLimit) chunks.push(chunk)
    }
    child.stdout.on('data', keep(out))
    child.stderr.on('data', keep(err))
    if (options.onLine)
      child.stderr.on('data', (chunk: Buffer) => {
        const lines = (line + chunk.toString('utf8')).split(/[\r\n]+/)
        line = lines.pop() ?? ''
        for (const one of lines) options.onLine?.(one)
      })
    child.on('error', (error) => finish(127, error.message))
    child.on('close', (code) => finish(late ? 124 : (code ?? 137), late ? `\ntimed out after ${timeout} ms` : ''))
    child.stdin.on('error', () => undefined) // it ended without reading: its exit code says why
    if (!options.holdStdin) child.stdin.end(options.stdin ?? '')
  })
}

/** The first executable of this name in a PATH. */
export async function findProgram(name: string, path = process.env['PATH'] ?? ''): Promise<string | null> {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name)
    const usable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (folder && usable) return file
  }
  return null
}
