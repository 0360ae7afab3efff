import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { jsonLine, jsonOfOne } from '../machinery/encoded.ts'
import { ApiError } from '../machinery/errors.ts'
import { freezeSharing } from '../machinery/freeze.ts'
import type { KubeObject } from '../machinery/object.ts'
import { decodeProtobuf, encodeProtobuf } from '../protobuf/index.ts'
import { compress, type Encoded, encode } from './encode.ts'
import { listForm } from './list-form.ts'
import type { Listing } from './listing.ts'
import type { Accepted } from './negotiation.ts'
import { ServedResources } from './resources.ts'

const info = new ServedResources().find('', 'v1', 'configmaps') as Listing['info']
const json = 'application/json'
const protobuf = 'application/vnd.kubernetes.protobuf'
const accepted = (mediaType: string, as: Accepted['as'] = 'object', pretty = false): Accepted => ({ mediaType, as, version: 'v1', pretty })
const context = { query: new URLSearchParams(), now: Date.parse('2026-01-01T00:00:00Z') }

/** Config maps of a name, some text of several lines and about so many bytes. */
function listing(count: number, size: number): Listing {
  const items = Array.from({ length: count }, (_, index): KubeObject => {
    const metadata = { name: `c-${index}`, namespace: 'default', creationTimestamp: '2025-12-31T00:00:00Z' }
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text: `two\nlines: [${'x'.repeat(size)}` } } as KubeObject
  })
  return { info, items, metadata: { resourceVersion: '7' } }
}

async function whole({ body }: Encoded): Promise<Buffer> {
  if (body instanceof Uint8Array) return Buffer.from(body)
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return Buffer.concat(pieces)
}

describe.each([
  ['nothing', 0, 0],
  ['one', 1, 10],
  ['few', 3, 10],
  ['many', 1_000, 10],
  ['large', 40, 50_000],
])('a list of %s', (_what, count, size) => {
  const listed = listing(count, size)
  const turn = async () => undefined
  const made = (form: Accepted) => whole(encode({ type: 'list', listing: listed }, form, { ...context, owner: context, turn }))

  it.each([
    ['objects', accepted(json)],
    ['metadata', accepted(json, 'PartialObjectMetadataList')],
    ['rows', accepted(json, 'Table')],
  ])('is the same in JSON, of %s', async (_form, form) => {
    expect((await made(form)).toString()).toBe(`${JSON.stringify(listForm(listed, form, context))}\n`)
  })

  it('is the same in JSON for people', async () => {
    const form = accepted(json, 'object', true)
    expect((await made(form)).toString()).toBe(JSON.stringify(listForm(listed, form, context), null, 2))
  })

  it('is the same in YAML', async () => {
    const form = accepted('application/yaml')
    expect(parse((await made(form)).toString())).toEqual(listForm(listed, form, context))
  })

  it('is the same in protobuf', async () => {
    const bytes = await made(accepted(protobuf))
    expect(bytes.equals(encodeProtobuf(listForm(listed, accepted(protobuf), context)))).toBe(true)
    expect(decodeProtobuf(bytes)).toMatchObject({ kind: 'ConfigMapList' })
  })
})

it('a large list takes a turn for each piece, whatever its form', async () => {
  const listed = listing(200, 50_000)
  for (const form of [accepted(json), accepted(json, 'object', true), accepted(protobuf), accepted('application/yaml')]) {
    let turns = 0
    const turn = async () => {
      turns++
    }
    await whole(encode({ type: 'list', listing: listed }, form, { ...context, owner: context, turn }))
    expect(turns).toBeGreaterThan(30)
  }
})

it('a large error takes a turn for each piece, also where all its causes say the same', async () => {
  const cause = {
    reason: 'FieldValueInvalid',
    field: 'metadata.labels',
    message: 'Invalid value: "!!": a valid label must be something else',
  }
  const error = ApiError.invalid({ group: '', kind: 'ConfigMap' }, 'a', Array(10_000).fill(cause))
  let turns = 0
  const turn = async () => {
    turns++
  }
  const outcome = { type: 'object', status: 422, object: error.body } as const
  const bytes = await whole(encode(outcome, accepted(json), { ...context, owner: context, turn }))
  expect(JSON.parse(bytes.toString()).details.causes).toHaveLength(10_000)
  expect(turns).toBeGreaterThan(5)
})

it('a large list is compressed on its way', async () => {
  const listed = listing(200, 50_000)
  const encoded = encode({ type: 'list', listing: listed }, accepted(json), { ...context, owner: context, turn: async () => undefined })
  const compressed = await compress(encoded, 'gzip, deflate')
  expect(compressed.headers['content-encoding']).toBe('gzip')
  const bytes = await whole(compressed)
  expect(bytes.length).toBeLessThan(1_000_000)
  expect(gunzipSync(bytes).toString()).toBe(`${JSON.stringify(listForm(listed, accepted(json), context))}\n`)
})

it('a long list does not push out the bytes of what others want', async () => {
  const wanted = freezeSharing(listing(1, 10).items[0] as KubeObject)
  const bytes = jsonLine(wanted)
  const listed = listing(400, 100_000)
  listed.items.forEach((item) => void freezeSharing(item))
  const owned = { ...context, owner: context, turn: async () => undefined }
  await whole(encode({ type: 'list', listing: listed }, accepted(json), owned))
  expect(jsonLine(wanted)).toBe(bytes)
})

it('an item whose bytes are kept is the same in a list as one whose bytes are not', async () => {
  const listed = listing(3, 10)
  const [first] = listed.items.map((item) => freezeSharing(item))
  jsonLine(first as KubeObject)
  const owned = { ...context, owner: context, turn: async () => undefined }
  const bytes = await whole(encode({ type: 'list', listing: listed }, accepted(json), owned))
  expect(bytes.toString()).toBe(`${JSON.stringify(listForm(listed, accepted(json), context))}\n`)
})

it('what a list has written is kept for the next, where there is room', async () => {
  const listed = listing(3, 10)
  const [first] = listed.items.map((item) => freezeSharing(item))
  const owned = { ...context, owner: context, turn: async () => undefined }
  await whole(encode({ type: 'list', listing: listed }, accepted(json), owned))
  expect(jsonOfOne(first as KubeObject)).toBeInstanceOf(Buffer)
})
