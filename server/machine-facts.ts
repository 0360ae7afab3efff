import { execFile } from 'node:child_process'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { MachineFact } from '../platform/services.ts'
import { findKind } from '../sandbox/kind/kind.ts'
import { type Complaint, examineMachine, inGibibytes } from '../sandbox/kind/machine.ts'
import { findJails } from '../sandbox/terminal/jail.ts'
import { joined, textOf } from '../sandbox/text.ts'

const cache = join(import.meta.dirname, '..', '.cache')

/** What of this machine the engines depend on, as it is now. */
export async function machineFacts(): Promise<MachineFact[]> {
  const [machine, kind, disk] = await Promise.all([
    examineMachine(),
    findKind(cache).then(
      (path) => ({ path, missing: null }),
      (error: Error) => ({ path: '', missing: textOf(error) }),
    ),
    statfs(import.meta.dirname),
  ])
  const { memory, docker, version, inotify, cgroup, rootless, diskFreeBytes } = machine
  const about = (what: Complaint['about']) => {
    const complaints = [...machine.missing, ...machine.warnings].filter((complaint) => complaint.about === what)
    return complaints.length > 0 ? joined(complaints) : null
  }
  const jails = findJails()
  return [
    { name: 'memory', value: `${inGibibytes(memory.availableBytes)} / ${inGibibytes(memory.totalBytes)}`, problem: about('memory') },
    { name: 'cpus', value: `${machine.cpus}`, problem: null },
    { name: 'disk', value: inGibibytes(diskFreeBytes ?? disk.bavail * disk.bsize), problem: about('disk') },
    { name: 'cgroup', value: cgroup ? `v${cgroup}` : '', problem: about('cgroup') },
    { name: 'inotify', value: inotify ? `${inotify.watches} / ${inotify.instances}` : '', problem: about('inotify') },
    { name: 'jail', value: jails.kinds.join(', '), problem: jails.reason },
    {
      name: 'docker',
      value: docker ? [version, rootless ? 'rootless' : '', docker.program].filter(Boolean).join(' ') : '',
      problem: about('docker'),
    },
    { name: 'kind', value: await versionOf(kind.path), problem: kind.missing },
  ]
}

async function versionOf(path: string): Promise<string> {
  if (!path) return ''
  const { stdout } = await promisify(execFile)(path, ['version'], { timeout: 10_000 }).catch(() => ({ stdout: '' }))
  return `${/v\d[^\s]*/.exec(stdout)?.[0] ?? ''} ${path}`.trim()
}
