import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import type { StandInContainer } from './stand-in.ts'

/**
 * Plays a container by a program of this machine: it gets the container's environment (with this machine's PATH), its output is
 * the container's log, signals reach it, and its exit code is the container's (128 and the signal's number for one that a signal
 * ended). `args` are the container's unless given. Rejects when the program cannot be started.
 */
export async function standInProcess(
  container: StandInContainer,
  program: string,
  args: readonly string[] = container.args,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const child = spawn(program, args, {
    env: { ...container.env, PATH: process.env['PATH'], ...env } as unknown as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of ['stdout', 'stderr'] as const) child[stream].on('data', (data: Buffer) => container.print(data, stream))
  container.onSignal((signal) => void child.kill(signal))
  const kill = () => void child.kill('SIGKILL')
  container.killed.addEventListener('abort', kill, { once: true })
  if (container.killed.aborted) kill()
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return code ?? 128 + (signal ? constants.signals[signal] : 0)
}
