import type { ExecResult, Sandbox } from '../engine.ts'

/**
 * Runs a lab's script (start.sh, solution.sh, wrong/*.sh). A line `#: on worker` sends what follows it, up to the next such
 * line, to that node, where it runs as root; `#: on toolbox` sends it back to where the script begins. Each part is a shell of
 * its own: variables do not go from one to the next. Ends at the first part that fails, or that is not done when the time is
 * over (ms, for all parts together), with everything that was said so far.
 */
export async function runScript(
  sandbox: Pick<Sandbox, 'exec'>,
  script: string,
  options: { timeout: number; strict?: boolean },
): Promise<ExecResult> {
  const argv = options.strict ? ['bash', '-euo', 'pipefail', '-s'] : ['bash', '-s']
  const until = performance.now() + options.timeout
  const said: ExecResult = { exitCode: 0, stdout: '', stderr: '' }
  for (const { node, text } of partsOf(script)) {
    const timeout = Math.max(1, Math.ceil(until - performance.now()))
    const { exitCode, stdout, stderr } = await sandbox.exec(argv, { stdin: text, timeout, ...(node ? { node } : {}) })
    said.exitCode = exitCode
    said.stdout += stdout
    said.stderr += stderr
    if (exitCode !== 0) break
  }
  return said
}

/** The parts of a script in their order; `node` is null for the toolbox. Parts without a command are left out. */
export function partsOf(script: string): { node: string | null; text: string }[] {
  const parts: { node: string | null; text: string }[] = [{ node: null, text: '' }]
  for (const line of script.split(/(?<=\n)/)) {
    const place = /^#: on (\S+)\s*$/.exec(line)?.[1]
    if (place) parts.push({ node: place === 'toolbox' ? null : place, text: '' })
    else (parts.at(-1) as { text: string }).text += line
  }
  return parts.filter(({ text }) => /^\s*[^#\s]/m.test(text))
}
