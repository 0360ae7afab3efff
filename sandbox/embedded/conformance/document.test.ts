import { describe, expect, it } from 'vitest'
import { conformancePage } from './document.ts'
import type { Result } from './report.ts'

const result = (title: string, state: Result['state'], why = ''): Result => ({ title, sig: 'apps', state, why })

describe('the page about conformance', () => {
  const first = conformancePage([result('a [Conformance]', 'failed', 'timed out'), result('b [Conformance]', 'passed')], undefined)

  it('counts passes and names what fails with its reason', () => {
    expect(first).toContain('| apps | 1 | 2 |')
    expect(first).toContain('- a [Conformance] — timed out')
  })

  it('keeps what a narrower run did not run, and reasons written by hand', () => {
    const edited = first.replace('timed out', 'there is no such thing here')
    const page = conformancePage([result('a [Conformance]', 'failed', 'other'), result('b [Conformance]', 'not run')], edited)
    expect(page).toBe(edited)
  })

  it('drops the line of a test that passes now', () => {
    const page = conformancePage([result('a [Conformance]', 'passed'), result('b [Conformance]', 'not run')], first)
    expect(page).toContain('| all | 2 | 2 |')
    expect(page).toContain('Nothing.')
  })

  it('keeps the sections that somebody wrote behind it', () => {
    const edited = `${first}\n## By hand\nSome words.\n`
    expect(conformancePage([result('a [Conformance]', 'failed', 'timed out'), result('b [Conformance]', 'passed')], edited)).toBe(edited)
  })

  it('is not begun from a part of the suite', () => {
    expect(() => conformancePage([result('a [Conformance]', 'not run')], undefined)).toThrow(/run of all tests/)
  })
})
