import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { onPath, transcript } from './transcript.ts'

/**
 * `node etcd/record.ts`: starts a real etcd (etcd and etcdctl of PATH, 3.6), runs the commands of commands.ts on it and writes what
 * they answered to recorded.json.
 */
const [etcd, etcdctl] = [onPath('etcd'), onPath('etcdctl')]
if (!etcd || !etcdctl) throw new Error('etcd and etcdctl have to be in PATH')
const folder = await mkdtemp(join(tmpdir(), 'etcd-record-'))
const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]
const member = spawn(
  etcd,
  [
    ...['--data-dir', join(folder, 'data'), '--log-level', 'warn', '--initial-cluster', `default=${peer}`],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
  ],
  { stdio: 'ignore' },
)
try {
  await once(member, 'spawn')
  for (let tries = 0; !(await isHealthy(client)); tries++) {
    if (tries > 100) throw new Error('etcd does not get ready')
    await setTimeout(200)
  }
  const entries = await transcript({ ETCDCTL_ENDPOINTS: client.replace('http://', '') }, dirname(etcdctl))
  await writeFile(new URL('recorded.json', import.meta.url), `${JSON.stringify(entries, null, 1)}\n`)
  console.log(`${entries.length} commands recorded`)
} finally {
  member.kill()
  if (member.exitCode === null) await once(member, 'exit')
  await rm(folder, { recursive: true, force: true })
}

async function isHealthy(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health`).catch(() => undefined)
  return answer?.ok ?? false
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}
