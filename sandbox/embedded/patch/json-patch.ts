import { isDeepStrictEqual } from 'node:util'
import { copyOf } from '../machinery/copy.ts'
import { doesNotFit, PatchError } from './patch-error.ts'

interface Operation {
  op: string
  path: string
  from?: string
  value?: unknown
}

type Container = Record<string, unknown> | unknown[]

/** As the API server has it. */
const mostOperations = 10_000
/** Bytes that copies may add to an object in all (the API server's JSONPatchMaxCopyBytes). */
const mostCopied = 3 * 2 ** 20

/** The object that is being changed, and what copies have added to it, bytes. */
interface Holder {
  document: unknown
  copied: number
}

/** RFC 6902, with the API server's words where an operation does not apply. The object itself is not changed. */
export function applyJsonPatch(object: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw new PatchError(400, 'json: cannot unmarshal object into Go value of type jsonpatch.Patch')
  }
  if (patch.length > mostOperations) {
    const why = `The allowed maximum operations in a JSON patch is ${mostOperations}, got ${patch.length}`
    throw new PatchError(413, `Request entity too large: ${why}`)
  }
  const holder: Holder = { document: copyOf(object), copied: 0 }
  for (const operation of patch as (Operation | null)[]) apply(holder, operation ?? { op: '', path: '' })
  return holder.document
}

function apply(holder: Holder, operation: Operation): void {
  const { op, path, from = '' } = operation
  if (typeof path !== 'string') throw missing('operation missing path field')
  switch (op) {
    case 'add':
      add(holder, path, copyOf(operation.value), 'add')
      return
    case 'remove':
      remove(holder, path)
      return
    case 'replace':
      replace(holder, path, copyOf(operation.value))
      return
    case 'move': {
      const value = read(holder, from, 'move')
      remove(holder, from)
      add(holder, path, value, 'move')
      return
    }
    case 'copy':
      add(holder, path, counted(holder, copyOf(read(holder, from, 'copy'))), 'copy')
      return
    case 'test':
      test(holder, path, operation.value)
      return
    default:
      throw doesNotFit(`Unexpected kind: ${op}`)
  }
}

function counted(holder: Holder, value: unknown): unknown {
  holder.copied += Buffer.byteLength(JSON.stringify(value))
  if (holder.copied <= mostCopied) return value
  throw doesNotFit(
    `Unable to complete the copy, the accumulated size increase of copy is ${holder.copied}, exceeding the limit ${mostCopied}`,
  )
}

function add(holder: { document: unknown }, path: string, value: unknown, op: string): void {
  const place = parentOf(holder.document, path)
  if (!place) {
    throw missing(
      op === 'add'
        ? `add operation does not apply: doc is missing path: "${path}"`
        : `${op} operation does not apply: doc is missing destination path: ${path}`,
    )
  }
  const { parent, key } = place
  if (!Array.isArray(parent)) {
    parent[key] = value
    return
  }
  if (key === '-') parent.push(value)
  else parent.splice(position(key, parent.length, `error in ${op} for path: '${path}'`), 0, value)
}

function remove(holder: { document: unknown }, path: string): void {
  const place = parentOf(holder.document, path)
  if (!place) throw missing(`remove operation does not apply: doc is missing path: "${path}"`)
  const { parent, key } = place
  if (Array.isArray(parent)) {
    parent.splice(position(key, parent.length - 1, `error in remove for path: '${path}'`), 1)
    return
  }
  if (!Object.hasOwn(parent, key)) throw missing(`error in remove for path: '${path}': Unable to remove nonexistent key: ${key}`)
  delete parent[key]
}

function replace(holder: { document: unknown }, path: string, value: unknown): void {
  if (path === '') {
    // Of what is neither object nor array the server's library makes an error, and then forgets it.
    if (isContainer(value)) holder.document = value
    return
  }
  const place = parentOf(holder.document, path)
  if (!place) throw missing(`replace operation does not apply: doc is missing path: ${path}`)
  const { parent, key } = place
  if (Array.isArray(parent)) {
    const index = Number(key)
    if (!(index in parent)) throw missing(`replace operation does not apply: doc is missing key: ${path}`)
    parent[index] = value
    return
  }
  // The server's library replaces an absent field too, against the RFC.
  parent[key] = value
}

function test(holder: { document: unknown }, path: string, value: unknown): void {
  const place = path === '' ? { parent: { '': holder.document }, key: '' } : parentOf(holder.document, path)
  if (!place) throw missing(`test operation does not apply: is missing path: ${path}`)
  const actual = (place.parent as Record<string, unknown>)[place.key]
  if (!isDeepStrictEqual(actual ?? null, value ?? null)) throw doesNotFit(`testing value ${path} failed: test failed`)
}

function read(holder: { document: unknown }, path: string, op: string): unknown {
  const place = parentOf(holder.document, path)
  if (!place) throw missing(`${op} operation does not apply: doc is missing from path: ${path}`)
  const { parent, key } = place
  if (Array.isArray(parent)) return parent[position(key, parent.length - 1, `error in ${op} for path: '${path}'`)]
  // of an object what is not there is nothing
  return Object.hasOwn(parent, key) ? parent[key] : null
}

function parentOf(document: unknown, path: string): { parent: Container; key: string } | undefined {
  if (!path.startsWith('/')) return undefined
  const parts = path
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  let parent = document
  for (const part of parts.slice(0, -1)) {
    if (!isContainer(parent) || !Object.hasOwn(parent, part)) return undefined
    parent = (parent as Record<string, unknown>)[part]
  }
  return isContainer(parent) ? { parent, key: parts.at(-1) ?? '' } : undefined
}

/** Negative indices count from the end, as the server's library has it. */
function position(key: string, last: number, where: string): number {
  const index = Number(key)
  if (!/^-?\d+$/.test(key)) {
    throw doesNotFit(`${where}: value was not a proper array index: '${key}': strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`)
  }
  if (index > last || index < -(last + 1)) {
    throw doesNotFit(`${where}: Unable to access invalid index: ${index}: invalid index referenced`)
  }
  return index < 0 ? last + 1 + index : index
}

function missing(text: string): PatchError {
  return doesNotFit(`${text}: missing value`)
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null
}
