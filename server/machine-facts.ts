import { execFile } from 'node:child_process'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { MachineFact } from '../platform/services.ts'
import { findKind } from '../sandbox/kind/kind.ts'
import { examineMachine, inGibibytes } from '../sandbox/kind/machine.ts'
import { findJails } from '../sandbox/terminal/jail.ts'

const cache = join(import.meta.dirname, '..', '.cache')

/** What of this machine the engines depend on, as it is now. */
export async function machineFacts(): Promise<MachineFact[]> {
  const [machine, kind, disk] = await Promise.all([
    examineMachine(),
    findKind(cache).then(
      (path) => ({ path, missing: null }),
      (error: Error) => ({ path: '', missing: error.message }),
    ),
    statfs(import.meta.dirname),
  ])
  const { memory, docker, version, inotify, cgroup, rootless, diskFreeBytes } = machine
  const sentences = [...machine.missing, ...machine.warnings]
  const about = (pattern: RegExp) => sentences.filter((sentence) => pattern.test(sentence)).join(' ') || null
  const jails = findJails()
  const ofDocker = sentences.filter((sentence) => !/fs\.inotify|of memory|of disk|^cgroup/.test(sentence)).join(' ')
  return [
    { name: 'memory', value: `${inGibibytes(memory.availableBytes)} / ${inGibibytes(memory.totalBytes)}`, problem: about(/of memory/) },
    { name: 'cpus', value: `${machine.cpus}`, problem: null },
    { name: 'disk', value: inGibibytes(diskFreeBytes ?? disk.bavail * disk.bsize), problem: about(/of disk/) },
    { name: 'cgroup', value: cgroup ? `v${cgroup}` : '', problem: about(/^cgroup/) },
    { name: 'inotify', value: inotify ? `${inotify.watches} / ${inotify.instances}` : '', problem: about(/fs\.inotify/) },
    { name: 'jail', value: jails.kinds.join(', '), problem: jails.reason },
    {
      name: 'docker',
      value: docker ? [docker.flavour, version, rootless ? 'rootless' : '', docker.program].filter(Boolean).join(' ') : '',
      problem: ofDocker || null,
    },
    { name: 'kind', value: await versionOf(kind.path), problem: kind.missing },
  ]
}

async function versionOf(path: string): Promise<string> {
  if (!path) return ''
  const { stdout } = await promisify(execFile)(path, ['version'], { timeout: 10_000 }).catch(() => ({ stdout: '' }))
  return `${/v\d[^\s]*/.exec(stdout)?.[0] ?? ''} ${path}`.trim()
}
