import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openDatabase } from './database.ts'
import { newId } from './id.ts'
import { audit } from './schema.ts'

const quiet = () => {}
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'labernetes-database-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Writes rows for ever and prints the number of each once it is written. */
const writer = (mark: string) => `
  const { openDatabase } = await import(${JSON.stringify(path.join(import.meta.dirname, 'database.ts'))})
  const { audit } = await import(${JSON.stringify(path.join(import.meta.dirname, 'schema.ts'))})
  const quiet = () => {}
  const { queries } = await openDatabase({ folder: process.argv[1], log: { debug: quiet, info: quiet, warn: quiet, error: quiet } })
  for (let number = 0; ; number++) {
    await queries.insert(audit).values({ at: new Date(), by: '${mark}', action: 'write', subject: String(number) })
    console.log(number)
  }`

async function killWhileWriting(mark: string, rows: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', writer(mark), folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let last = -1
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line)
    if (last === rows) child.kill('SIGKILL')
  }
  await exited
  return last
}

it('loses no acknowledged write when the process is killed with -9, again and again', async () => {
  const acknowledged = new Map<string, number>()
  for (const rows of [3, 20, 40]) {
    const mark = newId()
    acknowledged.set(mark, await killWhileWriting(mark, rows))
  }
  await using database = await openDatabase({ folder, log })
  const written = await database.queries.select().from(audit)
  for (const [mark, last] of acknowledged) {
    expect(last).toBeGreaterThan(0)
    const numbers = written.filter((row) => row.by === mark).map((row) => Number(row.subject))
    for (let number = 0; number <= last; number++) expect(numbers).toContain(number)
  }
})

it('belongs to one process at a time, and is free again after it', async () => {
  const first = await openDatabase({ folder, log })
  await expect(openDatabase({ folder, log })).rejects.toThrow(/in use by another Labernetes/)
  await first[Symbol.asyncDispose]()
  await (await openDatabase({ folder, log }))[Symbol.asyncDispose]()
})
