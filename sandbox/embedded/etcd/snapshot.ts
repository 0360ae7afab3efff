import { createHash } from 'node:crypto'
import type { KubeObject } from '../machinery/object.ts'
import { type Entry, readBolt, writeBolt } from './bolt.ts'
import { type Keyspace, objectOf } from './keyspace.ts'
import { decodeKeyValue, encodeKeyValue } from './rpc.ts'

export interface Member {
  id: number
  name: string
  peerURLs: string[]
  clientURLs: string[]
}

export const storageVersion = '3.6.0'
const all = [Buffer.from([0]), Buffer.from([0])] as const

/** The database of an etcd member as it is now: every key at its latest revision, what was before compacted away. */
export function database(keyspace: Keyspace, member: Member, term: number): Buffer {
  const revision = keyspace.store.revision
  const found = keyspace.range(...all)
  const keys = found.map((one): Entry => {
    const pair = keyspace.pair(one)
    return { key: revisionKey(pair.mod_revision, 0), value: encodeKeyValue(pair) }
  })
  const id = member.id.toString(16)
  return writeBolt(
    new Map([
      ['key', distinct(keys)],
      [
        'meta',
        [
          entry('consistent_index', number(revision)),
          entry('term', number(term)),
          entry('confState', JSON.stringify({ voters: [member.id], auto_leave: false })),
          entry('storageVersion', storageVersion),
          { key: Buffer.from('scheduledCompactRev'), value: revisionKey(revision, 0) },
          { key: Buffer.from('finishedCompactRev'), value: revisionKey(revision, 0) },
        ],
      ],
      ['cluster', [entry('clusterVersion', storageVersion)]],
      [
        'members',
        [entry(id, JSON.stringify({ id: member.id, peerURLs: member.peerURLs, name: member.name, clientURLs: member.clientURLs }))],
      ],
      ...['members_removed', 'lease', 'alarm', 'auth', 'authUsers', 'authRoles'].map((name): [string, Entry[]] => [name, []]),
    ]),
  )
}

/** The database with its digest behind it: what `etcdctl snapshot save` writes. */
export function sealed(file: Buffer): Buffer {
  return Buffer.concat([file, createHash('sha256').update(file).digest()])
}

/**
 * The Kubernetes objects in a snapshot of an etcd (or in the `member/snap/db` of its data folder), with their
 * resourceVersions, and the revision of the whole. Throws an Error that says why it is none.
 */
export function objectsOf(snapshot: Buffer): { objects: KubeObject[]; revision: number } {
  const file = snapshot.length % 512 === 32 ? unsealed(snapshot) : snapshot
  const latest = new Map<string, { pair: ReturnType<typeof decodeKeyValue>; gone: boolean }>()
  let revision = 0
  const entries = readBolt(file).get('key') ?? []
  for (const { key, value } of entries.sort((a, b) => Buffer.compare(a.key, b.key))) {
    const pair = decodeKeyValue(value)
    revision = Math.max(revision, Number(key.readBigUInt64BE(0)))
    latest.set(Buffer.from(pair.key).toString('latin1'), { pair, gone: key.length > 17 })
  }
  const objects = [...latest.values()].flatMap(({ pair, gone }) => {
    const path = Buffer.from(pair.key)
    // what the API server keeps besides objects: its ranges, its own leases, the revision it compacts at
    if (gone || !path.toString().startsWith('/registry/') || /^\/registry\/(ranges|masterleases)\//.test(path.toString())) return []
    const object = objectOf(path, pair.value)
    return [{ ...object, metadata: { ...object.metadata, resourceVersion: String(pair.mod_revision) } }]
  })
  return { objects, revision }
}

function unsealed(snapshot: Buffer): Buffer {
  const file = snapshot.subarray(0, -32)
  if (!createHash('sha256').update(file).digest().equals(snapshot.subarray(-32)))
    throw new Error('The snapshot is damaged: its digest is another')
  return file
}

/** Two keys never share a revision's place: what was written together is told apart by its second number. */
function distinct(entries: Entry[]): Entry[] {
  const seen = new Map<string, number>()
  return entries.map(({ key, value }) => {
    const revision = key.toString('latin1')
    const sub = seen.get(revision) ?? 0
    seen.set(revision, sub + 1)
    return { key: sub === 0 ? key : revisionKey(Number(key.readBigUInt64BE(0)), sub), value }
  })
}

function revisionKey(main: number, sub: number): Buffer {
  const key = Buffer.alloc(17)
  key.writeBigUInt64BE(BigInt(main), 0)
  key[8] = 0x5f
  key.writeBigUInt64BE(BigInt(sub), 9)
  return key
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

function entry(key: string, value: string | Buffer): Entry {
  return { key: Buffer.from(key), value: Buffer.from(value as string) }
}
