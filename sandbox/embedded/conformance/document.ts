import { countBySig, type Result } from './report.ts'

/**
 * The page about conformance: passes by SIG, and each failing test with the reason. Tests that did not run keep what
 * `before` (the page as it is) says of them; so do reasons that somebody wrote there, as long as the test fails, and so
 * does what stands behind them. Throws when tests did not run and no page tells of them.
 */
export function conformancePage(results: readonly Result[], before: string | undefined): string {
  const known = before === undefined ? undefined : reasonsOf(before)
  if (!known && results.some(({ state }) => state === 'not run')) {
    throw new Error('the first page needs a run of all tests: leave out --focus')
  }
  const judged = results.map((result): Result => {
    const reason = known?.get(result.title)
    if (result.state === 'not run') return { ...result, state: reason === undefined ? 'passed' : 'failed', why: reason ?? '' }
    return result.state === 'failed' && reason ? { ...result, why: reason } : result
  })
  const counts = countBySig(judged)
  const failures = judged.filter(({ state }) => state === 'failed')
  const passed = judged.length - failures.length
  return [
    '# Conformance',
    '',
    "`npm run conformance` runs Kubernetes 1.34's own end-to-end conformance tests against an embedded cluster of three nodes;",
    '`npm run conformance -- --write` renews this page. A reason written here by hand stays as long as its test fails.',
    '',
    '| SIG | passes | of |',
    '|---|---|---|',
    ...counts.map(({ sig, passed, total }) => `| ${sig} | ${passed} | ${total} |`),
    `| all | ${passed} | ${judged.length} |`,
    '',
    lastHeading,
    '',
    ...(failures.length === 0 ? ['Nothing.'] : failures.map(({ title, why }) => `- ${title}${separator}${why || 'no reason was given'}`)),
    '',
    ...behind(before),
  ].join('\n')
}

const separator = ' — '
const lastHeading = '## What fails'

/** The sections that somebody wrote behind those of this page. */
function behind(page = ''): string[] {
  const at = page.indexOf('\n## ', page.indexOf(lastHeading) + lastHeading.length)
  return at < 0 ? [] : page.slice(at + 1).split('\n')
}

function reasonsOf(page: string): Map<string, string> {
  const lines = page.split('\n').filter((line) => line.startsWith('- ') && line.includes(separator))
  return new Map(
    lines.map((line) => {
      const at = line.indexOf(separator)
      return [line.slice(2, at), line.slice(at + separator.length)]
    }),
  )
}
