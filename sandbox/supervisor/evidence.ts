import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Evidence, Verdict } from '../check/kit.ts'
import { withDigests } from '../check/observer.ts'
import type { AuditedRequest, Snapshot } from '../engine.ts'
import type { LoggedChange, TimeSkip } from './change-log.ts'

/** One file of what a submission keeps. */
export interface Piece {
  kind: 'evidence' | 'snapshot' | 'changes' | 'verdicts' | 'recording' | 'audit'
  name: string
  contentType: string
  bytes: Uint8Array
}

export interface Collected {
  evidence: Evidence
  changes: LoggedChange[]
  verdicts: readonly Verdict[]
  snapshot: Snapshot
  /** Of the learner's time in the sandbox; null where the engine keeps no audit log. */
  audit: readonly AuditedRequest[] | null
  /** Folder of the terminals' recordings. */
  terminals: string
  /** By how many ms cluster time is ahead of real time now. */
  ahead: number
}

/** What a submission keeps of an attempt, Secrets' values as digests. */
export async function piecesOf({ evidence, changes, verdicts, snapshot, audit, terminals, ahead }: Collected): Promise<Piece[]> {
  const objects = snapshot.objects.map((object) => (object.kind === 'Secret' ? withDigests(object) : object))
  const { runtime: _runtime, ...kept } = snapshot
  const skips = changes.filter((change) => change.type === 'SKIPPED')
  const pieces = [
    json('evidence', 'evidence.json', evidence),
    json('changes', 'changes.json', changes),
    json('verdicts', 'verdicts.json', verdicts),
    json('snapshot', 'snapshot.json', { ...kept, objects }),
  ]
  if (audit)
    pieces.push(
      json(
        'audit',
        'audit.json',
        audit.map((request) => ({ ...request, at: realTime(request.time, skips, ahead) })),
      ),
    )
  return [...pieces, ...(await recordings(terminals))]
}

/** The real time at which it was `time` in a cluster whose time was skipped so, and is ahead so far now. All in ms. */
function realTime(time: number, skips: readonly TimeSkip[], ahead: number): number {
  const next = skips.find((skip) => time < skip.to)
  if (!next) return Math.round(time - ahead)
  return Math.round(Math.min(next.ended, time - (next.time - next.began)))
}

async function recordings(folder: string): Promise<Piece[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.cast')).sort()
  return Promise.all(
    names.map(async (name, index) => ({
      kind: 'recording' as const,
      name: `terminal-${index + 1}.cast`,
      contentType: 'application/x-asciicast',
      bytes: await readFile(join(folder, name)),
    })),
  )
}

function json(kind: Piece['kind'], name: string, value: unknown): Piece {
  return { kind, name, contentType: 'application/json', bytes: Buffer.from(JSON.stringify(value)) }
}
