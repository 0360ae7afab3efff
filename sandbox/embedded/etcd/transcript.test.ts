import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import type { Entry } from '../transcripts/run.ts'
import { onPath, transcript } from './transcript.ts'

const etcdctl = onPath('etcdctl')
const speaksAsRecorded = etcdctl !== undefined && execFileSync(etcdctl, ['version'], { encoding: 'utf8' }).includes('etcdctl version: 3.6.')
const recorded = JSON.parse(await readFile(new URL('recorded.json', import.meta.url), 'utf8')) as Entry[]

test.skipIf(!speaksAsRecorded)(
  'etcdctl hears from this store what it hears from a real etcd (skipped without etcdctl 3.6)',
  async () => {
    const errors: unknown[] = []
    const folder = await mkdtemp(join(tmpdir(), 'etcd-'))
    try {
      await using cluster = await Cluster.open({ nodes: 0, only: 'api', report: (where, error) => errors.push([where, error]) })
      const port = await cluster.listenEtcd('127.0.0.1:0')
      for (const [name, text] of Object.entries(cluster.etcdCredentials())) await writeFile(join(folder, name), text)
      const heard = await transcript(
        {
          ETCDCTL_ENDPOINTS: `127.0.0.1:${port}`,
          ETCDCTL_CACERT: join(folder, 'ca'),
          ETCDCTL_CERT: join(folder, 'certificate'),
          ETCDCTL_KEY: join(folder, 'key'),
        },
        dirname(etcdctl as string),
      )
      expect(recorded.length).toBeGreaterThan(200)
      expect(heard).toEqual(recorded)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    expect(errors).toEqual([])
  },
  600_000,
)
