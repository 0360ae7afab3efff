import protobufjs from 'protobufjs/minimal.js'
import { messageOf } from '../machinery/encoded.ts'
import { decodeObject } from '../schema/decode.ts'
import { type WireField, wireFields, wireTypeOf } from '../schema/wire.ts'
import { readMessage } from './read.ts'
import { writeMessage } from './write.ts'

export { TooManyParts } from './read.ts'

/** A body that is no protobuf of a known kind; answered with 400. */
export class ProtobufError extends Error {}

const magic = Uint8Array.of(0x6b, 0x38, 0x73, 0x00)

export const protobufContentType = 'application/vnd.kubernetes.protobuf'

/**
 * Reads the `k8s\0` envelope with its runtime.Unknown and gives the object as the API takes it in JSON.
 * Throws ProtobufError for anything else, and TooManyParts for more than so many fields and items.
 */
export function decodeProtobuf(bytes: Uint8Array, parts = Number.POSITIVE_INFINITY): Record<string, unknown> {
  if (bytes.length === 0) throw new ProtobufError('empty data')
  if (!magic.every((byte, index) => bytes[index] === byte)) {
    throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  }
  if (bytes.length === magic.length) throw new ProtobufError('empty body')
  const { apiVersion, kind, raw } = readEnvelope(bytes.subarray(magic.length))
  const type = wireTypeOf(apiVersion, kind) ?? wireTypeOf('v1', kind)
  if (!type) throw new ProtobufError(`no kind "${kind}" is registered for version "${apiVersion}"`)
  try {
    const { object } = decodeObject(readMessage(protobufjs.Reader.create(raw), raw.length, type, { parts }), type)
    if (object['items'] === null) object['items'] = []
    return { apiVersion, kind, ...object }
  } catch (error) {
    if (error instanceof RangeError) throw new ProtobufError('unexpected EOF', { cause: error })
    throw error
  }
}

/**
 * The envelope for an object or list with apiVersion and kind. Throws
 * ProtobufError for kinds that have no wire form (custom resources, Table).
 */
export function encodeProtobuf(object: { apiVersion: string; kind: string }): Uint8Array {
  const raw = messageOf(object, () => encoded(object, typeOf(object)))
  return Buffer.concat([envelopeStart(object, raw.length), raw, envelopeEnd])
}

/**
 * The envelope of a list, whose items come in groups, bit by bit. The first pieces are empty, one for each group: what it is made
 * of must be known before its first byte, its length. Throws as `encodeProtobuf` does.
 */
export function* listPieces(head: { apiVersion: string; kind: string }, groups: Iterable<readonly object[]>): Generator<Uint8Array> {
  const type = typeOf(head)
  const items = wireFields(type)?.find(({ name }) => name === 'items')
  if (!items) throw new ProtobufError(`${head.kind} is no list`)
  const parts = [writeMessage(head as unknown as Record<string, unknown>, type)]
  for (const group of groups) {
    parts.push(itemsOf(group, items))
    yield nothing
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  yield envelopeStart(head, length)
  yield* parts
  yield envelopeEnd
}

const nothing = new Uint8Array()

/** The items one after the other, each as its own message. */
function itemsOf(objects: readonly object[], { number, type }: WireField): Uint8Array {
  const parts: Uint8Array[] = []
  for (const object of objects) {
    const message = messageOf(object, () => encoded(object, type))
    const start = protobufjs.Writer.create()
      .uint32((number << 3) | 2)
      .uint32(message.length)
    parts.push(start.finish(), message)
  }
  return Buffer.concat(parts)
}

function encoded(object: object, type: string): Buffer {
  return Buffer.from(writeMessage(object as Record<string, unknown>, type))
}

function typeOf({ apiVersion, kind }: { apiVersion: string; kind: string }): string {
  const type = wireTypeOf(apiVersion, kind) ?? wireTypeOf('v1', kind)
  if (!type) throw new ProtobufError(`no kind "${kind}" is registered for version "${apiVersion}"`)
  return type
}

/** What stands in the envelope before the object's own bytes. */
function envelopeStart({ apiVersion = '', kind }: { apiVersion?: string; kind: string }, length: number): Uint8Array {
  const meta = protobufjs.Writer.create().uint32(10).string(apiVersion).uint32(18).string(kind).finish()
  const start = protobufjs.Writer.create().uint32(10).bytes(meta).uint32(18).uint32(length).finish()
  return Buffer.concat([magic, start])
}

/** The encoding and the content type: both empty. */
const envelopeEnd = protobufjs.Writer.create().uint32(26).string('').uint32(34).string('').finish()

/** One frame of a watch in protobuf: four bytes of length (big endian), then the WatchEvent. */
export function encodeWatchFrame(type: string, object: { apiVersion: string; kind: string }): Uint8Array {
  const raw = protobufjs.Writer.create().uint32(10).bytes(encodeProtobuf(object)).finish()
  const event = protobufjs.Writer.create().uint32(10).string(type).uint32(18).bytes(raw).finish()
  const length = Buffer.alloc(4)
  length.writeUInt32BE(event.length)
  return Buffer.concat([length, event])
}

function readEnvelope(bytes: Uint8Array): { apiVersion: string; kind: string; raw: Uint8Array } {
  const reader = protobufjs.Reader.create(bytes)
  const found = { apiVersion: '', kind: '', raw: new Uint8Array() as Uint8Array }
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32()
      if (tag === 10) {
        const end = reader.uint32() + reader.pos
        while (reader.pos < end) {
          const inner = reader.uint32()
          if (inner === 10) found.apiVersion = reader.string()
          else if (inner === 18) found.kind = reader.string()
          else reader.skipType(inner & 7)
        }
      } else if (tag === 18) found.raw = reader.bytes()
      else if ((tag & 7) > 5) throw new ProtobufError(`proto: illegal wireType ${tag & 7}`)
      else reader.skipType(tag & 7)
    }
  } catch (error) {
    if (error instanceof ProtobufError) throw error
    throw new ProtobufError('unexpected EOF', { cause: error })
  }
  return found
}
