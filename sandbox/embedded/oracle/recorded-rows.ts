import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { collectionOf } from './cases.ts'
import { definitionsPath } from './custom-definition.ts'
import { readDifferences, writeDifferences } from './differences.ts'
import { performRow } from './perform-row.ts'
import type { Row } from './row-steps.ts'
import { rowsOf } from './rows.ts'
import type { Answer, Server } from './server.ts'
import { customDefinitions, customSpecimens } from './specimens/custom.ts'
import { specimens } from './specimens/index.ts'

/** What a real API server answered to each step of a row, by the row's title. */
export type RowAnswers = Record<string, readonly (Answer | null)[]>

const answersFile = new URL('./fixtures/rows.json.br', import.meta.url)
const differencesFile = new URL('./fixtures/rows.differences.txt', import.meta.url)

/** Rows of every built-in kind that is stored, and of custom ones. */
export function allRows(): Row[] {
  return [...specimens, ...customSpecimens].flatMap(rowsOf)
}

export function recordedRows(): RowAnswers {
  return JSON.parse(brotliDecompressSync(readFileSync(answersFile)).toString()) as RowAnswers
}

/** Asks a real server, which has no controllers running, for all rows and stores what it answers. */
export async function recordRows(server: Server): Promise<void> {
  const text = Buffer.from(JSON.stringify(await answersTo(server, allRows())))
  const params = { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS, [constants.BROTLI_PARAM_SIZE_HINT]: text.length }
  writeFileSync(answersFile, brotliCompressSync(text, { params }))
}

/** One row after the other: some kinds have a say in what becomes of others. */
export async function answersTo(server: Server, rows: readonly Row[]): Promise<RowAnswers> {
  const answers: RowAnswers = {}
  await using _ = await definitions(server)
  for (const row of rows) answers[row.title] = await performRow(server, row)
  return answers
}

/** ms between two looks, and how many. */
const pause = 50
const looks = 200

/** The custom kinds, served until they are disposed. */
async function definitions(server: Server): Promise<AsyncDisposable> {
  for (const definition of customDefinitions) {
    const { status, body } = await server.send('POST', definitionsPath, definition)
    if (status !== 201) throw new Error(JSON.stringify(body))
  }
  const collections = customSpecimens.map(collectionOf)
  for (let look = 0; look < looks; look++) {
    const answers = await Promise.all(collections.map((path) => server.send('GET', path)))
    if (answers.every(({ status }) => status === 200)) break
    await sleep(pause)
  }
  return {
    [Symbol.asyncDispose]: async () => {
      for (const { metadata } of customDefinitions as { metadata: { name: string } }[]) {
        await server.send('DELETE', `${definitionsPath}/${metadata.name}`)
      }
    },
  }
}

/** The steps that are known to be answered otherwise, each with the reason, in a file that only ever gets shorter. */
export function knownRowDifferences(): ReadonlyMap<string, string> {
  return readDifferences(differencesFile)
}

export function writeRowDifferences(titles: readonly string[]): void {
  writeDifferences(differencesFile, titles)
}

/** Of two servers' answers to the same rows those steps that differ, told by row, number and what is done. */
export function differingSteps(rows: readonly Row[], real: RowAnswers, ours: RowAnswers): { title: string; real: Answer; ours: unknown }[] {
  return rows.flatMap((row) =>
    row.steps.flatMap((step, index) => {
      const expected = real[row.title]?.[index]
      const given: unknown = JSON.parse(JSON.stringify(ours[row.title]?.[index] ?? null))
      if (!expected || isDeepStrictEqual(given, expected)) return []
      return [{ title: `${row.title}, ${index + 1}: ${step.title}`, real: expected, ours: given }]
    }),
  )
}
