import { jsonOfOne } from '../machinery/encoded.ts'
import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import { sizeOfStored } from '../machinery/object-size.ts'
import { protobufContentType, listPieces as protobufPieces } from '../protobuf/index.ts'
import type { ResourceInfo } from '../registry/index.ts'
import { goJson, inGoOrder } from '../schema/go-order.ts'
import type { ListMeta } from '../schema/types/meta.v1.ts'
import { type Table, toTable } from '../table/index.ts'
import { customTable } from './custom-table.ts'
import type { EncodeContext, Form } from './encode.ts'
import { goYaml } from './go-yaml.ts'
import type { Listing } from './listing.ts'
import type { Accepted } from './negotiation.ts'
import { apiVersionOf } from './resources.ts'
import { yamlThread } from './yaml-thread.ts'

/** What a list is made of: what stands before its items, and how they are shown. */
interface ListForm {
  head: Form
  key: 'items' | 'rows'
  shown(items: readonly KubeObject[]): readonly object[]
}

/** Bytes, as they are stored, and number of the items that are put into a form at once; YAML takes many times as long. */
const atOnce = { bytes: 256 * 2 ** 10, items: 250 }
const atOnceInYaml = { bytes: 8 * 2 ** 10, items: 10 }

/** A list in the form that a client accepts, as data. */
export function listForm(listing: Listing, accepted: Accepted, context: Pick<EncodeContext, 'query' | 'now'>): Form {
  const { head, key, shown } = formOf(listing, accepted, context)
  return { ...head, [key]: shown(listing.items) }
}

/** About how many bytes a list will be. */
export function sizeOfList({ items }: Listing): number {
  let size = 0
  for (const item of items) size += sizeOfStored(item)
  return size
}

/** The same in bytes, made bit by bit as they are asked for: none of the pieces takes long. */
export function* listPieces(listing: Listing, accepted: Accepted, context: Pick<EncodeContext, 'query' | 'now'>): Generator<Uint8Array> {
  const { head, key, shown } = formOf(listing, accepted, context)
  if (accepted.mediaType === protobufContentType) {
    yield* protobufPieces(head, groupsOf(listing.items, atOnce))
    return
  }
  const { begin, ofStored, item, between, end } = textOf(listing, head, key, accepted)
  const piece = new Piece()
  piece.add(begin)
  let first = true
  for (const group of groupsOf(listing.items, accepted.mediaType === 'application/yaml' ? atOnceInYaml : atOnce)) {
    for (const form of ofStored ? group : shown(group)) {
      if (!first) piece.add(between)
      first = false
      piece.add(item(form))
    }
    yield piece.take()
  }
  piece.add(end)
  yield piece.take()
}

/** Bytes and texts, one behind the other; texts become bytes together. */
class Piece {
  private parts: Uint8Array[] = []
  private text = ''

  add(part: Uint8Array | string): void {
    if (typeof part === 'string') this.text += part
    else {
      this.endText()
      this.parts.push(part)
    }
  }

  take(): Uint8Array {
    this.endText()
    const { parts } = this
    this.parts = []
    return Buffer.concat(parts)
  }

  private endText(): void {
    if (this.text !== '') this.parts.push(Buffer.from(this.text))
    this.text = ''
  }
}

/** A large list in YAML, which is written beside this thread. */
export async function* yamlPieces(listing: Listing, accepted: Accepted, context: EncodeContext): AsyncGenerator<Uint8Array> {
  const { head, key, shown } = formOf(listing, accepted, context)
  const [begin, end] = aroundYaml(head, key, listing.items.length === 0)
  yield Buffer.from(begin)
  for (const group of groupsOf(listing.items, atOnce)) {
    await context.turn()
    yield Buffer.from(await yamlThread.write(context.owner, JSON.stringify(shown(group))))
  }
  yield Buffer.from(end)
}

export function table(
  info: ResourceInfo,
  objects: readonly KubeObject[],
  metadata: object,
  { version }: Accepted,
  { query, now }: Pick<EncodeContext, 'query' | 'now'>,
): Table {
  const { resourceVersion, continue: token, remainingItemCount } = metadata as ListMeta
  const given = { resourceVersion, continue: token, remainingItemCount }
  const kept = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as ListMeta
  const includeObject = (query.get('includeObject') ?? 'Metadata') as 'None' | 'Metadata' | 'Object'
  const custom = customTable(info)
  const made = toTable(info, objects, { now, includeObject, metadata: kept, ...(custom ? { custom } : {}) })
  if (version === 'v1') return made
  const apiVersion = `meta.k8s.io/${version}`
  const rows = made.rows.map((row) =>
    (row.object as Form | null)?.['kind'] === 'PartialObjectMetadata' ? { ...row, object: { ...(row.object as Form), apiVersion } } : row,
  )
  return { ...made, apiVersion, rows } as unknown as Table
}

export function partial({ metadata }: KubeObject, version: string): Form {
  const form = { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata }
  return form
}

/** For the metadata of a list where there is but one object. Of a custom resource nobody expects that. */
export function noList(info: ResourceInfo, goType = goTypeOf(info, info.kind)): ApiError {
  if (info.definition) return new ApiError(500, undefined, 'content is not a list')
  return unfit('PartialObjectMetadataList', `not a list (${goType})`)
}

function unfit(as: string, what: string): ApiError {
  return new ApiError(406, 'NotAcceptable', `you requested ${as}, but the requested object is ${what}`)
}

/** The type that the real server has in hand. */
function goTypeOf({ group, definition }: ResourceInfo, kind: string): string {
  if (definition) return '*unstructured.UnstructuredList'
  return `*${group === '' ? 'core' : group.split('.')[0]}.${kind}`
}

function formOf({ info, metadata }: Listing, accepted: Accepted, context: Pick<EncodeContext, 'query' | 'now'>): ListForm {
  const { as, version } = accepted
  if (as === 'Table') {
    const { rows: _, ...head } = table(info, [], metadata, accepted, context)
    return { head, key: 'rows', shown: (items) => inGoOrder(table(info, items, metadata, accepted, context)).rows }
  }
  if (as === 'PartialObjectMetadata') throw unfit(as, `a list (${goTypeOf(info, info.listKind)})`)
  if (as === 'PartialObjectMetadataList') {
    const head = { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${version}`, metadata }
    return { head, key: 'items', shown: (items) => items.map((item) => partial(item, version)) }
  }
  const head = { kind: info.listKind, apiVersion: apiVersionOf(info), metadata }
  // In a list of a built-in kind the items don't repeat their type.
  const shown = (items: readonly KubeObject[]) => (info.decode ? items : items.map(untyped))
  return { head, key: 'items', shown }
}

function untyped(object: KubeObject): object {
  const { apiVersion: _, kind: __, ...item } = inGoOrder(object)
  return item
}

interface ListText {
  begin: string
  /** Items are given as they are stored: others may have had their bytes already. */
  ofStored: boolean
  item(form: object): Uint8Array | string
  between: string
  end: string
}

/** What stands before and behind the items of a list in YAML, of which all fields are sorted. */
function aroundYaml(head: Form, key: string, empty: boolean): [begin: string, end: string] {
  const none = ' []\n'
  const [begin, end] = around(goYaml({ ...head, [key]: [] }), `${key}:${none}`)
  return [empty ? begin : `${begin.slice(0, -none.length)}\n`, end]
}

function textOf({ info, items }: Listing, head: Form, key: string, { as, mediaType, pretty }: Accepted): ListText {
  const empty = items.length === 0
  if (mediaType === 'application/yaml') {
    const [begin, end] = aroundYaml(head, key, empty)
    return { begin, ofStored: false, item: (form) => goYaml([form]), between: '', end }
  }
  if (pretty) {
    const item = (form: object) => `\n    ${goJson(form, 2).replaceAll('\n', '\n    ')}`
    const [begin, end] = around(goJson({ ...head, [key]: [] }, 2), `"${key}": [`)
    return { begin, ofStored: false, item, between: ',', end: empty ? end : `\n  ${end}` }
  }
  const [begin, end] = around(`${goJson({ ...head, [key]: [] })}\n`, `"${key}":[`)
  if (as !== 'object') return { begin, ofStored: false, item: (form) => goJson(form), between: ',', end }
  if (info.decode) return { begin, ofStored: true, item: jsonOfOne, between: ',', end }
  // items of a built-in kind begin behind their type
  const brace = empty ? '' : '{'
  return { begin: begin + brace, ofStored: true, item: (form) => untypedJson(form as KubeObject), between: ',{', end }
}

/** What stands before the items of a list, and what comes after them: of one of a custom kind, its type and metadata too. */
function around(empty: string, mark: string): [begin: string, end: string] {
  const at = empty.lastIndexOf(mark) + mark.length
  return [empty.slice(0, at), empty.slice(at)]
}

/** An item without its type, with which it begins, and the brace before it. */
function untypedJson(item: KubeObject): Uint8Array | string {
  const from = typeMeta.length + item.kind.length + item.apiVersion.length
  const json = jsonOfOne(item)
  return typeof json === 'string' ? json.slice(from) : json.subarray(from)
}

const typeMeta = '{"kind":"","apiVersion":"",'

/** At least one, and none that takes long. */
function groupsOf(items: readonly KubeObject[], most: { bytes: number; items: number }): KubeObject[][] {
  const groups: KubeObject[][] = []
  let group: KubeObject[] = []
  let size = 0
  for (const item of items) {
    group.push(item)
    size += sizeOfStored(item)
    if (size < most.bytes && group.length < most.items) continue
    groups.push(group)
    group = []
    size = 0
  }
  if (group.length > 0 || groups.length === 0) groups.push(group)
  return groups
}
