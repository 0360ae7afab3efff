import { readFileSync, writeFileSync } from 'node:fs'

/** What a server's answers were recorded as, in `fixtures/NAME.json`. */
export function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(fileOf(name), 'utf8')) as T
}

export function writeFixture(name: string, value: unknown): void {
  writeFileSync(fileOf(name), `${JSON.stringify(value, undefined, 1)}\n`)
}

function fileOf(name: string): URL {
  return new URL(`./fixtures/${name}.json`, import.meta.url)
}
