import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import { badRequests } from './bad-requests.ts'
import { creations } from './cases.ts'
import { readDifferences, writeDifferences } from './differences.ts'
import { type Exchange, exchange, refusal } from './exchange.ts'
import type { Answer, Server } from './server.ts'
import { specimens } from './specimens/index.ts'

/** What a real API server answered, by the request's title. */
export type Answers = Record<string, Answer>

export const suites = {
  'bad-requests': { requests: () => badRequests(), ask: refusal },
  creations: { requests: () => specimens.flatMap(creations), ask: exchange },
} as const satisfies Record<string, { requests(): Exchange[]; ask(server: Server, request: Exchange): Promise<Answer> }>

export type Suite = keyof typeof suites

export function recorded(suite: Suite): Answers {
  return JSON.parse(gunzipSync(readFileSync(fileOf(suite, 'json.gz'))).toString()) as Answers
}

export function record(suite: Suite, answers: Answers): void {
  writeFileSync(fileOf(suite, 'json.gz'), gzipSync(JSON.stringify(answers), { level: 9 }))
}

/** The requests that this cluster is known to answer otherwise, each with the reason, in a file that only ever gets shorter. */
export function knownDifferences(suite: Suite): ReadonlyMap<string, string> {
  return readDifferences(fileOf(suite, 'differences.txt'))
}

export function writeSuiteDifferences(suite: Suite, titles: readonly string[]): void {
  writeDifferences(fileOf(suite, 'differences.txt'), titles)
}

/** Asks for all of them, a few at a time; a connection that breaks off is no answer. */
export async function answersOf(server: Server, suite: Suite, requests: readonly Exchange[]): Promise<Answers> {
  const answers: Answers = {}
  const waiting = [...requests]
  const lane = async () => {
    for (let request = waiting.shift(); request; request = waiting.shift()) {
      try {
        answers[request.title] = await suites[suite].ask(server, request)
      } catch (error) {
        if (!isHangUp(error)) throw error
      }
    }
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  return answers
}

/** The real server's handler panics at some schemas and jobs, and says nothing more. */
export function isHangUp(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET'
}

function fileOf(suite: Suite, ending: string): URL {
  return new URL(`./fixtures/${suite}.${ending}`, import.meta.url)
}
