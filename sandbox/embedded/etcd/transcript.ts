import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Entry, runCommand } from '../transcripts/run.ts'
import { commands } from './commands.ts'

/** Where etcdctl finds a member: as its variables name them (ETCDCTL_ENDPOINTS, ETCDCTL_CACERT, ...). */
export type EtcdctlSettings = Record<`ETCDCTL_${string}`, string>

/** ms for a command; none takes more than a few seconds where nothing else runs. */
const longest = 60_000

/**
 * Runs every command on the member and resolves with what was written, without what no two members have in common. Revisions
 * are told by how many there had been before; `rev N` is the Nth since then.
 */
export async function transcript(settings: EtcdctlSettings, etcdctl: string): Promise<Entry[]> {
  const folder = await mkdtemp(join(tmpdir(), 'etcdctl-'))
  const environment: NodeJS.ProcessEnv = {
    NODE_ENV: process.env.NODE_ENV,
    PATH: [folder, etcdctl, process.env['PATH']].join(delimiter),
    HOME: folder,
    LC_ALL: 'C',
    TZ: 'UTC',
    ...settings,
  }
  try {
    const { stdout } = await runCommand('etcdctl get k -w json', folder, environment)
    const { header } = JSON.parse(stdout) as { header: { revision: number } }
    await writeFile(join(folder, 'rev'), `#!/bin/sh\necho $((${header.revision} + $1))\n`, { mode: 0o755 })
    const entries: Entry[] = []
    for (const command of commands) entries.push(normalise(await runCommand(command, folder, environment, longest), header.revision))
    return entries
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const revisions =
  /(?<![A-Za-z_])("?(?:(?:create_|mod_|compact_|hash_)?revision|(?:Prev)?(?:Create|Mod|Compact|Hash)?Revision)"? ?: ?|compacted revision )(\d+)/g

const replacements: [RegExp, string][] = [
  [/\b(?:https?:\/\/)?(?:127\.0\.0\.1|172\.18\.0\.2):(?!1\b)\d+/g, '<address>'],
  [
    /("(?:cluster_id|member_id|ID|leader|raft_term|raftTerm|raftIndex|raftAppliedIndex|dbSize|dbSizeInUse|hash|dbSizeQuota)":)\d+/g,
    '$1<n>',
  ],
  [/("(?:ClusterID|MemberID|ID|Leader|RaftTerm|RaftIndex|RaftAppliedIndex|DBSize|DBSizeInUse|Hash|DBSizeQuota)" : )\d+/g, '$1<n>'],
  [/("(?:MemberID|ID|LeaseID)" : )[0-9a-f]+/g, '$1<id>'],
  [/\b[0-9a-f]{12,16}\b/g, '<id>'],
  [/\d+(?:\.\d+)? [kM]B\b/g, '<size>'],
  [/\b\d+(?:\.\d+)?(?:ms|µs|s)\b/g, '<time>'],
  [/\{"level".*\n?/g, '<log>\n'],
  [/^(<address>, )\d+, \d+$/gm, '$1<n>, <n>'],
  [/^(\| <address> \| +)\d+( \| +)\d+/gm, '$1<n>$2<n>'],
  [/\b\d+%/g, '<percent>'],
  [/(3\.6\.0, <size>, <size>, <percent>, 0 B, true, false), \d+, \d+, \d+/g, '$1, <n>, <n>, <n>'],
  [/("(?:ttl|id)":)\d+/g, '$1<n>'],
  [/(\| +true \| +false \|)(?: +\d+ \|){3}/g, '$1 <n> | <n> | <n> |'],
  [/("TTL" : )4\d+/g, '$1<n>'],
  [/\b(?:default|[a-z]+-control-plane)\b/g, '<name>'],
  [/-{3,}/g, '---'],
  [/ {2,}/g, ' '],
]

function normalise({ command, code, stdout, stderr }: Entry, base: number): Entry {
  const text = (written: string) => {
    const counted = written.replace(revisions, (_, before: string, revision: string) =>
      Number(revision) >= base && Number(revision) < base + 10_000 ? `${before}+${Number(revision) - base}` : before + revision,
    )
    return replacements.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), counted)
  }
  return { command, code, stdout: text(stdout), stderr: text(stderr) }
}

/** A program's path, or undefined where it is not installed. */
export function onPath(program: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file))
}
