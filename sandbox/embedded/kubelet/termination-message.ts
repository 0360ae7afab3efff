import type { Container as RuntimeContainer } from '../containers/runtime.ts'
import type { Container } from '../schema/types/core.v1.ts'

const longestMessage = 4096
const longestFromLog = 2048
const linesFromLog = 80

/**
 * What a container left as its last words: the file at terminationMessagePath, or the end of its log when the policy is
 * FallbackToLogsOnError and it failed.
 */
export function terminationMessage(container: RuntimeContainer, spec: Container, exitCode: number): string | undefined {
  const file = container.readFile(spec.terminationMessagePath ?? '/dev/termination-log')
  if (file && file.length > 0) return Buffer.from(file.slice(0, longestMessage)).toString()
  if (spec.terminationMessagePolicy !== 'FallbackToLogsOnError' || exitCode === 0) return undefined
  const lines = container.log.lines().slice(-linesFromLog)
  return (
    lines
      .map(({ text }) => text)
      .join('')
      .slice(-longestFromLog) || undefined
  )
}
