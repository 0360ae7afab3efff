import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One test of the suite and what became of it in a run. `why` is the first line of a failure. */
export interface Result {
  title: string
  sig: string
  state: 'passed' | 'failed' | 'not run'
  why: string
}

interface Spec {
  ContainerHierarchyTexts?: string[] | null
  LeafNodeType: string
  LeafNodeText: string
  State: string
  Failure?: { Message?: string }
}

const reports = ['report-parallel.json', 'report-serial.json']

/**
 * Every conformance test by its title, from ginkgo's JSON reports in a folder; a test that ran in any of them has run.
 * Rejects when there is no report.
 */
export async function readResults(folder: string): Promise<Result[]> {
  const results = new Map<string, Result>()
  const files = reports.map((name) => join(folder, name)).filter((file) => existsSync(file))
  if (files.length === 0) throw new Error(`the suite has written no report into ${folder}: see parallel.log there`)
  for (const file of files) {
    const suites = JSON.parse(await readFile(file, 'utf8')) as { SpecReports?: Spec[] | null }[]
    for (const spec of suites.flatMap(({ SpecReports }) => SpecReports ?? [])) {
      const result = resultOf(spec)
      if (!result) continue
      const known = results.get(result.title)
      if (!known || known.state === 'not run') results.set(result.title, result)
    }
  }
  return [...results.values()].sort((a, b) => (a.title < b.title ? -1 : 1))
}

export interface Count {
  sig: string
  passed: number
  failed: number
  total: number
}

export function countBySig(results: readonly Result[]): Count[] {
  const counts = new Map<string, Count>()
  for (const { sig, state } of results) {
    const count = counts.get(sig) ?? { sig, passed: 0, failed: 0, total: 0 }
    count.total++
    if (state === 'passed') count.passed++
    if (state === 'failed') count.failed++
    counts.set(sig, count)
  }
  return [...counts.values()].sort((a, b) => (a.sig < b.sig ? -1 : 1))
}

function resultOf({ ContainerHierarchyTexts, LeafNodeType, LeafNodeText, State, Failure }: Spec): Result | undefined {
  if (LeafNodeType !== 'It' || !LeafNodeText.includes('[Conformance]')) return undefined
  const title = [...(ContainerHierarchyTexts ?? []), LeafNodeText].join(' ')
  const sig = /\[sig-([\w-]+)\]/.exec(title)?.[1] ?? 'other'
  const state = State === 'passed' ? 'passed' : State === 'skipped' || State === 'pending' ? 'not run' : 'failed'
  const why = (Failure?.Message ?? '').split('\n')[0]?.trim().slice(0, 200) ?? ''
  return { title, sig, state, why }
}
