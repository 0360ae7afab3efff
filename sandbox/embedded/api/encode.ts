import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { createGzip, gzip } from 'node:zlib'
import { jsonLine } from '../machinery/encoded.ts'
import type { Status } from '../machinery/errors.ts'
import type { TurnOptions } from '../machinery/fair-share.ts'
import { jsonPieces } from '../machinery/json-pieces.ts'
import type { KubeObject } from '../machinery/object.ts'
import { sizeOfStored } from '../machinery/object-size.ts'
import { encodeProtobuf, encodeWatchFrame, protobufContentType } from '../protobuf/index.ts'
import type { ResourceInfo } from '../registry/index.ts'
import { goJson } from '../schema/go-order.ts'
import type { ObjectOutcome, Outcome } from './call.ts'
import { goYaml } from './go-yaml.ts'
import { listForm, listPieces, noList, partial, sizeOfList, table, yamlPieces } from './list-form.ts'
import type { Listing } from './listing.ts'
import type { Accepted } from './negotiation.ts'
import type { WatchEvent } from './watch.ts'
import { largeYaml, yamlThread } from './yaml-thread.ts'

/** An answer as it goes out. The body is whole, or comes bit by bit. */
export interface Encoded {
  status: number
  headers: Record<string, string>
  body: Uint8Array | AsyncIterable<Uint8Array>
  /** About how many bytes a body has that has an end. */
  size?: number
  /** Never compressed here. */
  verbatim?: boolean
}

const json = 'application/json'
const yaml = 'application/yaml'
const compressFrom = 128 * 1024
/** Beside the thread that all clusters share. */
const gzipped = promisify<Uint8Array, { level: number }, Buffer>(gzip)

export interface EncodeContext {
  query: URLSearchParams
  /** Cluster ms, from which ages in tables count. */
  now: number
  /** Waits for the cluster's turn: what is large is made bit by bit, and others' work comes in between. */
  turn(options?: TurnOptions): Promise<void>
  /** Whose it is: what is written beside this thread is written by turns of these. */
  owner: object
}

/** Throws ApiError for what cannot be put into the accepted form. */
export function encode(outcome: Outcome, accepted: Accepted, context: EncodeContext): Encoded {
  switch (outcome.type) {
    case 'object':
      if (outcome.object.kind === 'Status' && accepted.mediaType === json && sizeOfStatus(outcome.object as Status) > wholeUpTo)
        return longStatus(outcome.status, outcome.object as Status, accepted, context)
      return whole(outcome.status, objectForm(outcome, accepted, context), accepted, context)
    case 'list':
      return list(outcome.listing, accepted, context)
    case 'watch':
      return {
        status: 200,
        headers: {
          'content-type': accepted.mediaType === protobufContentType ? `${protobufContentType};stream=watch` : accepted.mediaType,
        },
        body: watchFrames(outcome.info, outcome.events, accepted, context),
      }
    case 'document':
      return document(outcome, accepted)
    case 'text': {
      const plain = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }
      const headers = { ...(outcome.text && plain), ...outcome.headers }
      return { status: outcome.status, headers, body: Buffer.from(outcome.text) }
    }
    case 'raw':
      return { status: outcome.status, headers: outcome.headers, body: outcome.body, verbatim: true }
    case 'forwarded':
      return { status: outcome.status, headers: outcome.headers, body: outcome.chunks }
    case 'stream':
      return { status: 200, headers: { 'content-type': outcome.contentType }, body: eachInTurn(outcome.chunks, context) }
  }
}

/** The plain data that an outcome is in JSON. Not for streams. */
export function plain(outcome: Outcome): unknown {
  const accepted: Accepted = { mediaType: json, as: 'object', version: 'v1', pretty: false }
  const context = { query: new URLSearchParams(), now: 0 }
  if (outcome.type === 'object') return objectForm(outcome, accepted, context)
  if (outcome.type === 'list') return listForm(outcome.listing, accepted, context)
  if (outcome.type === 'document') {
    return outcome.document instanceof Uint8Array ? JSON.parse(Buffer.from(outcome.document).toString()) : outcome.document
  }
  if (outcome.type === 'raw') return Buffer.from(outcome.body).toString()
  return outcome.type === 'text' ? outcome.text : undefined
}

function varyBy(known: string | undefined): string {
  return known && !known.includes('Accept-Encoding') ? `Accept-Encoding, ${known}` : (known ?? 'Accept-Encoding')
}

/** Compresses a large body for those who can read it. */
export async function compress(encoded: Encoded, acceptEncoding: string | undefined): Promise<Encoded> {
  const { body } = encoded
  const size = body instanceof Uint8Array ? body.length : (encoded.size ?? 0)
  if (encoded.verbatim || size < compressFrom || !/\bgzip\b/.test(acceptEncoding ?? '')) return encoded
  const headers = { ...encoded.headers, 'content-encoding': 'gzip', vary: varyBy(encoded.headers['vary']) }
  if (body instanceof Uint8Array) return { ...encoded, headers, body: await gzipped(body, { level: 1 }) }
  return { ...encoded, headers, body: Readable.from(body).compose(createGzip({ level: 1 })) }
}

export type Form = { apiVersion: string; kind: string }

function objectForm(
  { object, info, goType }: Pick<ObjectOutcome, 'object' | 'info' | 'goType'>,
  accepted: Accepted,
  context: Pick<EncodeContext, 'query' | 'now'>,
): Form {
  const { as, version } = accepted
  if (as === 'object' || !info || object.kind !== info.kind) return object
  if (as === 'Table') return table(info, [object as KubeObject], (object as KubeObject).metadata, accepted, context)
  if (as === 'PartialObjectMetadataList') throw noList(info, goType)
  return partial(object as KubeObject, version)
}

function list(listing: Listing, accepted: Accepted, context: EncodeContext): Encoded {
  const headers = { 'content-type': accepted.mediaType }
  const size = sizeOfList(listing)
  if (accepted.mediaType === yaml && size > largeYaml) return { status: 200, headers, body: yamlPieces(listing, accepted, context), size }
  const pieces = listPieces(listing, accepted, context)
  if (size <= wholeUpTo) return { status: 200, headers, body: Buffer.concat([...pieces]) }
  return { status: 200, headers, body: byTurns(pieces, context), size }
}

/** Bytes, about, from which a list is made in several turns. */
const wholeUpTo = 256 * 2 ** 10

/** About how many bytes an error is in JSON. Its message says what is the same of many causes once. */
function sizeOfStatus({ message = '', details }: Status): number {
  let size = message.length
  for (const cause of details?.causes ?? []) size += (cause.message?.length ?? 0) + (cause.field?.length ?? 0)
  return size
}

function longStatus(status: number, body: Status, { pretty }: Accepted, context: EncodeContext): Encoded {
  const pieces = gathered(jsonPieces(body, pretty ? 2 : 0), pretty ? '' : '\n')
  return { status, headers: { 'content-type': json }, body: byTurns(pieces, context), size: sizeOfStatus(body) }
}

/** Texts as bytes, some of them together. */
function* gathered(texts: Iterable<string>, last: string): Generator<Uint8Array> {
  let waiting = ''
  for (const text of texts) {
    waiting += text
    if (waiting.length < gatheredUpTo) continue
    yield Buffer.from(waiting)
    waiting = ''
  }
  yield Buffer.from(waiting + last)
}

const gatheredUpTo = 128 * 2 ** 10

async function* byTurns(pieces: Iterator<Uint8Array>, { turn }: EncodeContext): AsyncGenerator<Uint8Array> {
  for (;;) {
    await turn()
    const { value, done } = pieces.next()
    if (done) return
    if (value.length > 0) yield value
  }
}

async function* eachInTurn(chunks: AsyncIterable<Uint8Array>, { turn }: EncodeContext): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    await turn()
    yield chunk
  }
}

function whole(status: number, form: Form, accepted: Accepted, { owner }: Pick<EncodeContext, 'owner'>): Encoded {
  if (accepted.mediaType === protobufContentType) {
    return { status, headers: { 'content-type': protobufContentType }, body: encodeProtobuf(form) }
  }
  const headers = { 'content-type': accepted.mediaType }
  if (accepted.mediaType !== yaml) return { status, headers, body: text(form, accepted) }
  const json = JSON.stringify(form)
  if (json.length < largeYaml) return { status, headers, body: text(form, accepted) }
  return { status, headers, body: written(yamlThread.write(owner, json)), size: json.length }
}

async function* written(text: Promise<string>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(await text)
}

function text(form: Form, { mediaType, pretty }: Accepted): Uint8Array {
  if (mediaType === yaml) return Buffer.from(goYaml(form))
  return pretty ? Buffer.from(goJson(form, 2)) : jsonLine(form)
}

/** What is no object comes as it was written; of discovery there are other forms. */
function document(outcome: Outcome & { type: 'document' }, { pretty }: Accepted): Encoded {
  const { document, status = 200, accepted } = outcome
  const { contentType = accepted?.mediaType ?? json } = outcome
  return { status, headers: { 'content-type': contentType, ...outcome.headers }, body: bytes() }

  function bytes(): Uint8Array {
    if (document instanceof Uint8Array) return document
    if (accepted?.mediaType === protobufContentType) return encodeProtobuf(document as Form)
    if (accepted?.mediaType === yaml) return Buffer.from(goYaml(document))
    return Buffer.from((accepted?.pretty ?? pretty) ? JSON.stringify(document, null, 2) : `${JSON.stringify(document)}\n`)
  }
}

async function* watchFrames(
  info: ResourceInfo,
  batches: AsyncIterable<readonly WatchEvent[]>,
  accepted: Accepted,
  context: EncodeContext,
): AsyncGenerator<Uint8Array> {
  let columnsSent = false
  const frame = ({ type, object }: WatchEvent): Uint8Array => {
    let form = object as Form
    if (type !== 'ERROR') {
      form = objectForm({ object: object as KubeObject, info }, accepted, context)
      // Clients keep the columns of the first table.
      if (accepted.as === 'Table' && columnsSent) form = { ...form, columnDefinitions: null } as Form
      columnsSent = true
    }
    return accepted.mediaType === protobufContentType ? encodeWatchFrame(type, form) : jsonFrame(type, form)
  }
  for await (const batch of batches) {
    // the first object that is no list is the end of a watch that asks for lists
    if (accepted.as === 'PartialObjectMetadataList') return
    let frames: Uint8Array[] = []
    let size = 0
    await context.turn(isBrief(batch) ? briefTurn : undefined)
    for (const [index, event] of batch.entries()) {
      const next = frame(event)
      frames.push(next)
      size += next.length
      if (size < framesAtOnce && index < batch.length - 1) continue
      yield frames.length === 1 ? next : Buffer.concat(frames)
      if (index === batch.length - 1) continue
      frames = []
      size = 0
      await context.turn()
    }
  }
}

/** Bytes that are written together: fewer cost more system calls, more would be kept for a slow reader. */
const framesAtOnce = 64 * 2 ** 10

/** One small object that somebody else may have had already. */
function isBrief(batch: readonly WatchEvent[]): boolean {
  const object = batch[0]?.object as KubeObject
  return batch.length === 1 && Object.isFrozen(object) && sizeOfStored(object) <= briefObject
}

const briefTurn: TurnOptions = { brief: true }
/** Bytes, about. */
const briefObject = 4 * 2 ** 10

let latest: { type: string; object: object; frame: Uint8Array } | undefined

/** Watchers are told one after the other: most want what the one before has had. */
function jsonFrame(type: string, object: object): Uint8Array {
  if (latest?.type === type && latest.object === object) return latest.frame
  const line = jsonLine(object)
  const frame = Buffer.concat([Buffer.from(`{"type":"${type}","object":`), line.subarray(0, -1), endOfFrame])
  if (Object.isFrozen(object)) latest = { type, object, frame }
  return frame
}

const endOfFrame = Buffer.from('}\n')
