import { setTimeout } from 'node:timers/promises'
import { customDefinition, definitionsPath, integer, onlyVersion, record, type Schema } from './custom-definition.ts'
import { expressionCases } from './expression-cases.ts'
import { readFixture, writeFixture } from './json-fixture.ts'
import type { Server } from './server.ts'

const name = 'expresseds.expressions.example.com'

/** What a server says of each expression: why it is no rule, or what it comes to when it runs. */
export type ExpressionVerdicts = Record<string, { compiled: readonly string[]; outcome?: string }>

interface Rule {
  rule: string
  message?: string
  messageExpression?: string
}

const text = (maxLength: number, more: Schema = {}): Schema => ({ type: 'string', maxLength, ...more })
const list = (items: Schema, maxItems: number, more: Schema = {}): Schema => ({ type: 'array', items, maxItems, ...more })

const spec = record({
  a: record({ b: record({ c: list(integer, 5) }) }),
  s: text(20),
  n: integer,
  f: { type: 'number' },
  l: list(text(5), 5),
  m: { type: 'object', additionalProperties: text(5), maxProperties: 3 },
  e: list(text(5), 3),
  u: text(60),
  big: list(integer, 200),
  neg: integer,
  t: text(40),
  nul: text(9, { nullable: true }),
  unset: text(9),
  mix: list({ 'x-kubernetes-int-or-string': true, maxLength: 5 }, 5),
  wide: text(30),
  lm: list(record({ a: integer, b: text(5) }), 3),
  set: list(text(3), 5, { 'x-kubernetes-list-type': 'set' }),
  kl: list(record({ k: text(3), v: integer }, { required: ['k'] }), 3, {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
  }),
  d: { type: 'string', format: 'date-time' },
  du: { type: 'string', format: 'duration' },
  by: text(9, { format: 'byte' }),
  p: { 'x-kubernetes-int-or-string': true, maxLength: 5 },
  'x-y': text(9),
  'x.y': text(9),
  in: integer,
})

const object = {
  a: { b: { c: [1, 2, 3] } },
  s: 'hello world',
  n: 5,
  f: 1.5,
  l: ['x', 'y', 'z'],
  m: { k: 'v' },
  e: [],
  u: 'https://a.example:8443/p/q?x=1&x=2&y=z',
  big: Array.from({ length: 200 }, (_, index) => index),
  neg: -7,
  t: '2023-01-02T03:04:05.678Z',
  nul: null,
  mix: [1, 'a', 2],
  wide: 'héllo wörld 日本',
  lm: [{ a: 1 }, { a: 2, b: 'q' }],
  set: ['a', 'b'],
  kl: [
    { k: 'a', v: 1 },
    { k: 'b', v: 2 },
  ],
  d: '2024-05-06T07:08:09Z',
  du: '90s',
  by: 'YWJj',
  p: 5,
  'x-y': 'dashed',
  'x.y': 'dotted',
  in: 1,
}

/** Asks a server for all of them: as rules of a definition that is not made, then, those that compile, about an object. */
export async function expressionVerdicts(server: Server): Promise<ExpressionVerdicts> {
  const plain = await refusals(
    server,
    expressionCases.map((rule) => ({ rule, message: 'm' })),
  )
  // In a list anything may stand, so that all that compiles can be run.
  const evaluated = expressionCases.map((one, index): Rule => ({ rule: `[${one}].size() > 9`, message: `#${index}` }))
  const runs = await refusals(server, evaluated)
  const shown = evaluated.map(({ rule, message }, index) => ({
    rule,
    message: `${message}`,
    messageExpression: `'#${index} = %s'.format([${expressionCases[index]}])`,
  }))
  const unshown = await refusals(server, shown)
  const used = shown.flatMap((rule, index) => (runs[index] ? [] : [unshown[index] ? (evaluated[index] as Rule) : rule]))
  const outcomes = await run(server, used)
  return Object.fromEntries(
    expressionCases.map((one, index) => {
      const compiled = plain[index] ?? []
      const outcome = outcomes.get(index)
      return [one, { compiled, ...(outcome === undefined ? {} : { outcome }) }]
    }),
  )
}

/** What is wrong with each of them, by place. */
async function refusals(server: Server, rules: readonly Rule[]): Promise<(string[] | undefined)[]> {
  const found: (string[] | undefined)[] = []
  // Together they may cost too much, and a fault that the parser sees can hide others.
  const most = 40
  for (let start = 0; start < rules.length; start += most) {
    const { body } = await server.send('POST', `${definitionsPath}?dryRun=All`, definition(rules.slice(start, start + most)))
    const { causes = [] } = (body as { details?: { causes?: { field: string; message: string }[] } }).details ?? {}
    for (const { field, message } of causes) {
      const [, place] = /x-kubernetes-validations\[(\d+)\]/.exec(field) ?? []
      if (place !== undefined) (found[start + Number(place)] ??= []).push(nameless(message.replace(/^.*?\}: /s, '')))
    }
  }
  return found
}

/** By the number that a rule says. */
async function run(server: Server, rules: readonly Rule[]): Promise<Map<number, string>> {
  const path = `${definitionsPath}/${name}`
  await server.send('DELETE', path)
  const made = await server.send('POST', definitionsPath, definition(rules))
  if (made.status !== 201) throw new Error(JSON.stringify(made.body).slice(0, 2000))
  const body = { apiVersion: 'expressions.example.com/v1', kind: 'Expressed', metadata: { name: 'one' }, spec: object }
  try {
    for (let tries = 0; ; tries++) {
      const { status, body: answer } = await server.send(
        'POST',
        '/apis/expressions.example.com/v1/namespaces/default/expresseds?dryRun=All',
        body,
      )
      const { causes = [] } = (answer as { details?: { causes?: { message: string }[] } }).details ?? {}
      if (status !== 422 && tries < 60) {
        await setTimeout(250)
        continue
      }
      return new Map(
        causes.flatMap(({ message }) => {
          const [, index] = /#(\d+)/.exec(message) ?? []
          return index === undefined ? [] : [[Number(index), nameless(message)] as const]
        }),
      )
    }
  } finally {
    await server.send('DELETE', path)
  }
}

function definition(rules: readonly Rule[]): unknown {
  const schema = record({ spec: { ...spec, 'x-kubernetes-validations': rules } })
  return customDefinition('expressions.example.com', { plural: 'expresseds', kind: 'Expressed' }, [onlyVersion(schema)])
}

/** The server calls the type of self otherwise each time. */
function nameless(message: string): string {
  return message.replace(/\bselfType\d+/g, 'selfType')
}

export function recordedExpressions(): ExpressionVerdicts {
  return readFixture('expressions')
}

export function recordExpressions(verdicts: ExpressionVerdicts): void {
  writeFixture('expressions', verdicts)
}
