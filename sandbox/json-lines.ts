import { readFile } from 'node:fs/promises'

/** What a file holds to which values are added, a line of JSON each. */
export interface JsonLines<T> {
  /** Oldest first. A line that a crash tore off is left out. */
  values: T[]
  /** Of the whole file. */
  bytes: number
  /** What comes before the next line: a torn one is not to take it with it. */
  before: '' | '\n'
}

/** A file that is not there, or cannot be read, holds nothing. */
export async function readJsonLines<T>(file: string): Promise<JsonLines<T>> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const values = text.split('\n').flatMap((line) => {
    try {
      return line ? [JSON.parse(line) as T] : []
    } catch {
      return []
    }
  })
  return { values, bytes: Buffer.byteLength(text), before: text === '' || text.endsWith('\n') ? '' : '\n' }
}
