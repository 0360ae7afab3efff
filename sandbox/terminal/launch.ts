import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { spawn as spawnPty } from 'node-pty'
import type { ExecOptions, ExecResult, TerminalProcess } from '../engine.ts'

/** A command line of this machine, with nothing of the platform's environment but what is named. */
export interface Launch {
  argv: string[]
  environment: Record<string, string>
  cwd: string
}

type Exit = { exitCode: number; signal?: number }

/** Starts it behind a pty; `gone` is called once it has ended. */
export function openPty({ argv, environment, cwd }: Launch, cols: number, rows: number, gone: () => void): TerminalProcess {
  const pty = spawnPty(argv[0] as string, argv.slice(1), { name: 'xterm-256color', cols, rows, cwd, env: environment, encoding: null })
  const dataListeners = new Set<(data: Uint8Array) => void>()
  const exitListeners = new Set<(exit: Exit) => void>()
  /** What came before anybody listened: a prompt may be there before a screen is brought back. */
  let early: Uint8Array[] = []
  let exit: Exit | undefined
  pty.onData((data) => {
    // encoding null makes node-pty deliver Buffers, which its types do not say
    const bytes = data as unknown as Uint8Array
    if (dataListeners.size === 0) early.push(bytes)
    for (const listener of dataListeners) listener(bytes)
  })
  pty.onExit(({ exitCode, signal }) => {
    exit = signal ? { exitCode, signal } : { exitCode }
    for (const listener of exitListeners) listener(exit)
    gone()
  })
  return {
    write: (data) => {
      if (!exit) pty.write(data)
    },
    resize: (newCols, newRows) => {
      if (!exit) pty.resize(newCols, newRows)
    },
    pause: () => pty.pause(),
    resume: () => pty.resume(),
    onData: (listener) => {
      dataListeners.add(listener)
      const before = early
      early = []
      for (const bytes of before) listener(bytes)
      return { [Symbol.dispose]: () => void dataListeners.delete(listener) }
    },
    onExit: (listener) => {
      if (exit) listener(exit)
      else exitListeners.add(listener)
      return { [Symbol.dispose]: () => void exitListeners.delete(listener) }
    },
    async [Symbol.asyncDispose]() {
      if (exit) return
      const exited = new Promise<void>((resolve) => pty.onExit(() => resolve()))
      // destroy closes the master, which hangs the shell up; kill alone leaks the descriptor (node-pty#642)
      ;(pty as unknown as { destroy(): void }).destroy()
      const impatient = setTimeout(() => !exit && pty.kill('SIGKILL'), 500)
      await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 2_000))])
      clearTimeout(impatient)
    },
  }
}

/** Runs it to its end and keeps its output, 1 MiB at most of each stream. `running` holds the child meanwhile. Never rejects. */
export function run({ argv, environment, cwd }: Launch, options: ExecOptions, running: Set<ChildProcess>): Promise<ExecResult> {
  return new Promise((resolve) => {
    const child = spawn(argv[0] as string, argv.slice(1), {
      env: asProcessEnv(environment),
      cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    running.add(child)
    const kill = () => {
      try {
        if (child.pid) process.kill(-child.pid, 'SIGKILL')
      } catch {
        child.kill('SIGKILL')
      }
    }
    let late = false
    const timer = setTimeout(() => {
      late = true
      kill()
    }, options.timeout ?? 30_000)
    const stdout = collect(child.stdout, kill)
    const stderr = collect(child.stderr, kill)
    const finish = (exitCode: number, problem = '') => {
      clearTimeout(timer)
      running.delete(child)
      resolve({ exitCode, stdout: stdout(), stderr: stderr() + problem })
    }
    child.on('error', (error) => finish(127, error.message))
    child.on('close', (code) => finish(late ? 124 : (code ?? 137)))
    // what the command left in the background may hold its output open: the command is over all the same
    child.on('exit', () => setTimeout(() => [child.stdout, child.stderr].map((stream) => stream.destroy()), 200))
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.stdin ?? '')
  })
}

function collect(stream: Readable, tooMuch: () => void): () => string {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= outputLimit) chunks.push(chunk)
    else tooMuch()
  })
  return () => Buffer.concat(chunks).toString('utf8')
}

/** What nsenter and its like are given: nothing of the platform's but the path. */
export function outsideEnvironment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' }
}

/** Next's types claim that every environment has NODE_ENV. */
export function asProcessEnv(environment: Record<string, string>): NodeJS.ProcessEnv {
  return environment as unknown as NodeJS.ProcessEnv
}

const outputLimit = 1024 * 1024
