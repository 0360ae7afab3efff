import { setTimeout } from 'node:timers/promises'
import { customDefinition, definitionsPath, onlyVersion, record, ruled, type Schema, text } from './custom-definition.ts'
import { readFixture, writeFixture } from './json-fixture.ts'
import type { Server } from './server.ts'

const objects = '/apis/ratchet.example.com/v1/namespaces/default/ratchets'

/** An object of a schema that becomes stricter, and changes to it then. */
interface Case {
  title: string
  before: Schema
  after: Schema
  spec: Record<string, unknown>
  patches: Record<string, unknown>[]
}

/** What a server said to each change: ok, or its objections. */
export type Verdicts = Record<string, (string | string[])[]>

const list = (items: Schema, more: Schema = {}): Schema => ({ type: 'array', maxItems: 9, items, ...more })
const map = (values: Schema): Schema => ({ type: 'object', maxProperties: 9, additionalProperties: values })
const byName = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }
const set = { 'x-kubernetes-list-type': 'set' }
const short = text({ maxLength: 3 })
const open = text({ maxLength: 90 })
const item = (value: Schema) => record({ name: open, value, more: open }, { required: ['name'] })

const cases: Case[] = [
  ...Object.entries({
    'a pattern': [text({ maxLength: 90, pattern: '^[0-9]+$' }), 'abc', 'abd', '12'],
    'an enum': [text({ enum: ['x', 'y'] }), 'abc', 'abd', 'x'],
    'a length': [short, 'abcdef', 'abcdeg', 'abc'],
    'a minimum length': [text({ minLength: 9, maxLength: 90 }), 'abc', 'abd', 'abcdefghi'],
    'a format': [text({ format: 'ipv4', maxLength: 90 }), 'abc', 'abd', '10.0.0.1'],
    'a rule': [ruled(open, 'self.startsWith("z")'), 'abc', 'abd', 'zz'],
    'a transition rule': [ruled(open, 'self == oldSelf'), 'abc', 'abd', 'abc'],
    'a rule for what was there before or not': [
      ruled(open, { rule: 'oldSelf.hasValue() ? self == oldSelf.value() : self.startsWith("z")', optionalOldSelf: true }),
      'abc',
      'abd',
      'zz',
    ],
  } as Record<string, [Schema, string, string, string]>).map(
    ([title, [after, kept, changed, right]]): Case => ({
      title,
      before: record({ field: open, other: open, late: open }),
      after: record({ field: after, other: open, late: after }),
      spec: { field: kept },
      patches: [{ other: 'new' }, { field: changed }, { field: right }, { late: 'abc' }, { field: kept, other: 'newer' }, { field: null }],
    }),
  ),
  {
    title: 'a number',
    before: record({ field: { type: 'integer' }, other: open }),
    after: record({ field: { type: 'integer', maximum: 5, multipleOf: 5 }, other: open }),
    spec: { field: 7 },
    patches: [{ other: 'new' }, { field: 8 }, { field: 5 }, { field: 3 }],
  },
  {
    title: 'what is required',
    before: record({ inner: record({ a: open, b: open }), other: open }),
    after: record({ inner: record({ a: open, b: open }, { required: ['b'] }), other: open }, { required: ['other'] }),
    spec: { inner: { a: 'x' } },
    patches: [{ other: 'new' }, { inner: { a: 'y' } }, { inner: { b: 'z' } }, { other: null }],
  },
  {
    title: 'another type',
    before: record({ field: { 'x-kubernetes-int-or-string': true }, other: open }),
    after: record({ field: open, other: open }),
    spec: { field: 5 },
    patches: [{ other: 'new' }, { field: 6 }, { field: 'six' }],
  },
  {
    title: 'items of a list by keys',
    before: record({ items: list(item(open), byName), other: open }),
    after: record({ items: list(item(short), byName), other: open }),
    spec: {
      items: [
        { name: 'a', value: 'abcdef' },
        { name: 'b', value: 'abcdef' },
      ],
    },
    patches: [
      { other: 'new' },
      {
        items: [
          { name: 'b', value: 'abcdef' },
          { name: 'a', value: 'abcdef' },
        ],
      },
      {
        items: [
          { name: 'a', value: 'abcdef', more: 'x' },
          { name: 'b', value: 'abcdef' },
        ],
      },
      {
        items: [
          { name: 'a', value: 'abcdeg' },
          { name: 'b', value: 'abcdef' },
        ],
      },
      { items: [{ name: 'c', value: 'abcdef' }] },
      { items: [{ name: 'a', value: 'abc' }] },
    ],
  },
  {
    title: 'items of an atomic list',
    before: record({ items: list(item(open)), other: open }),
    after: record({ items: list(item(short)), other: open }),
    spec: {
      items: [
        { name: 'a', value: 'abcdef' },
        { name: 'b', value: 'abcdef' },
      ],
    },
    patches: [
      { other: 'new' },
      {
        items: [
          { name: 'a', value: 'abcdef' },
          { name: 'b', value: 'abcdef' },
          { name: 'c', value: 'abc' },
        ],
      },
      { items: [{ name: 'a', value: 'abcdef' }] },
      {
        items: [
          { name: 'b', value: 'abcdef' },
          { name: 'a', value: 'abcdef' },
        ],
      },
      { items: [{ name: 'a', value: 'abc' }] },
    ],
  },
  {
    title: 'members of a set',
    before: record({ tags: list(open, set), other: open }),
    after: record({ tags: list(short, set), other: open }),
    spec: { tags: ['abcdef', 'abc'] },
    patches: [{ other: 'new' }, { tags: ['abc', 'abcdef'] }, { tags: ['abcdef', 'abc', 'x'] }, { tags: ['abcdef'] }, { tags: ['abc'] }],
  },
  {
    title: 'a list that becomes a set',
    before: record({ tags: list(open), other: open }),
    after: record({ tags: list(open, set), other: open }),
    spec: { tags: ['a', 'a'] },
    patches: [{ other: 'new' }, { tags: ['a', 'a', 'b'] }, { tags: ['b', 'b'] }, { tags: ['a', 'b'] }],
  },
  {
    title: 'a list that becomes one by keys',
    before: record({ items: list(item(open)), other: open }),
    after: record({ items: list(item(open), byName), other: open }),
    spec: {
      items: [
        { name: 'a', value: '1' },
        { name: 'a', value: '2' },
      ],
    },
    patches: [
      { other: 'new' },
      {
        items: [
          { name: 'a', value: '1' },
          { name: 'a', value: '3' },
        ],
      },
      { items: [{ name: 'a', value: '1' }] },
    ],
  },
  {
    title: 'values of a map',
    before: record({ values: map(open), other: open }),
    after: record({ values: map(short), other: open }),
    spec: { values: { a: 'abcdef', b: 'abcdef' } },
    patches: [
      { other: 'new' },
      { values: { c: 'abc' } },
      { values: { c: 'abcdef' } },
      { values: { a: 'abcdeg' } },
      { values: { a: null } },
    ],
  },
  {
    title: 'a longer list than may be',
    before: record({ items: list(open), other: open }),
    after: record({ items: { ...list(open), maxItems: 1 }, other: open }),
    spec: { items: ['a', 'b', 'c'] },
    patches: [{ other: 'new' }, { items: ['a', 'b'] }, { items: ['a', 'b', 'c', 'd'] }, { items: ['a'] }],
  },
  {
    title: 'a rule about the whole',
    before: record({ a: open, b: open, other: open }),
    after: ruled(record({ a: open, b: open, other: open }), 'self.a != self.b'),
    spec: { a: 'x', b: 'x' },
    patches: [{ other: 'new' }, { a: 'y', b: 'y' }, { a: 'z' }],
  },
  {
    title: 'a rule about items by keys',
    before: record({ items: list(item(open), byName), other: open }),
    after: record({ items: list(ruled(item(open), 'self.value == "good"'), byName), other: open }),
    spec: {
      items: [
        { name: 'a', value: 'bad' },
        { name: 'b', value: 'bad' },
      ],
    },
    patches: [
      { other: 'new' },
      {
        items: [
          { name: 'b', value: 'bad' },
          { name: 'a', value: 'good' },
        ],
      },
      { items: [{ name: 'b', value: 'worse' }] },
      { items: [{ name: 'c', value: 'bad' }] },
    ],
  },
  {
    title: 'a transition rule about items by keys',
    before: record({ items: list(item(open), byName), other: open }),
    after: record({ items: list(ruled(item(open), 'self.value == oldSelf.value'), byName), other: open }),
    spec: { items: [{ name: 'a', value: '1' }] },
    patches: [
      {
        items: [
          { name: 'a', value: '1' },
          { name: 'b', value: '2' },
        ],
      },
      { items: [{ name: 'a', value: '2' }] },
      { items: [{ name: 'c', value: '2' }] },
    ],
  },
  {
    title: 'one of several',
    before: record({ one: record({ a: open, b: open }), other: open }),
    after: record({ one: record({ a: open, b: open }, { oneOf: [{ required: ['a'] }, { required: ['b'] }] }), other: open }),
    spec: { one: { a: 'x', b: 'y' } },
    patches: [{ other: 'new' }, { one: { a: 'z' } }, { one: { b: null } }],
  },
]

/** Makes each case's object, tightens its schema and changes it; the object and the definition are gone afterwards. */
export async function verdictsOf(server: Server): Promise<Verdicts> {
  const verdicts: Verdicts = {}
  for (const { title, before, after, spec, patches } of cases) {
    await define(server, before)
    const made = await retried(() => server.send('POST', objects, { ...head, metadata: { name: 'one' }, spec }), 201)
    const answers: (string | string[])[] = [objections(made)]
    await define(server, after)
    await retried(() => server.send('POST', `${objects}?dryRun=All`, { ...head, metadata: { name: 'probe' }, spec }), 422, after)
    for (const patch of patches) {
      const { body } = await server.send('PATCH', `${objects}/one?dryRun=All`, { spec: patch }, 'application/merge-patch+json')
      answers.push(objections({ status: 0, body }))
    }
    verdicts[title] = answers
    await server.send('DELETE', `${objects}/one`)
  }
  await server.send('DELETE', `${definitionsPath}/ratchets.ratchet.example.com`)
  return verdicts
}

const head = { apiVersion: 'ratchet.example.com/v1', kind: 'Ratchet' }

async function define(server: Server, spec: Schema): Promise<void> {
  const version = onlyVersion(record({ spec }))
  const definition = customDefinition('ratchet.example.com', { plural: 'ratchets', kind: 'Ratchet' }, [version])
  const { status } = await server.send('POST', definitionsPath, definition)
  if (status === 201) return
  const path = `${definitionsPath}/ratchets.ratchet.example.com`
  const changed = await server.send('PATCH', path, { spec: { versions: [version] } }, 'application/merge-patch+json')
  if (changed.status !== 200) throw new Error(JSON.stringify(changed.body))
}

/** A real server serves a changed definition a moment later; some changes are about what was before and cannot be waited for. */
async function retried(ask: () => ReturnType<Server['send']>, wanted: number, schema: Schema = {}) {
  const isAboutBefore = wanted !== 201 && JSON.stringify(schema).includes('"rule":"self') && JSON.stringify(schema).includes('oldSelf')
  for (let tries = 0; ; tries++) {
    const answer = await ask()
    if (answer.status === wanted || tries === (isAboutBefore ? 12 : 60)) return answer
    await setTimeout(250)
  }
}

function objections({ body }: { status: number; body: unknown }): string | string[] {
  const { kind, message, details } = body as {
    kind: string
    message?: string
    details?: { causes?: { field: string; message: string; reason: string }[] }
  }
  if (kind !== 'Status') return 'ok'
  return details?.causes?.map((cause) => `${cause.field} ${cause.reason} ${cause.message}`).sort() ?? (message as string)
}

export function recordedVerdicts(): Verdicts {
  return readFixture('ratcheting')
}

export function recordVerdicts(verdicts: Verdicts): void {
  writeFixture('ratcheting', verdicts)
}
