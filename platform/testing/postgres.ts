import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'

const run = promisify(execFile)

export interface PostgresServer extends AsyncDisposable {
  /** The URL of a new, empty database. */
  newDatabase(): Promise<string>
}

/** Debian's PostgreSQL on a data folder of its own, reachable on loopback; null when the machine has none. */
export async function startPostgres(): Promise<PostgresServer | null> {
  const programs = await findPrograms()
  if (!programs) return null
  await using cleanup = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'labernetes-pg-'))
  cleanup.defer(() => rm(folder, { recursive: true, force: true }))
  // PostgreSQL refuses to run as root.
  const as: { uid?: number; gid?: number } = process.getuid?.() === 0 ? await userIds('nobody') : {}
  if (as.uid !== undefined && as.gid !== undefined) await chown(folder, as.uid, as.gid)
  const data = path.join(folder, 'data')
  await run(path.join(programs, 'initdb'), ['-D', data, '-U', 'labernetes', '-A', 'trust', '-E', 'UTF8', '--no-sync'], as)
  const port = await freePort()
  const options = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', folder, '-c', 'fsync=off']
  const server = spawn(path.join(programs, 'postgres'), options, { ...as, stdio: 'ignore' })
  cleanup.defer(async () => {
    if (server.exitCode !== null) return
    server.kill('SIGINT')
    await once(server, 'exit')
  })
  const admin = `postgres://labernetes@127.0.0.1:${port}/postgres`
  await untilAnswers(admin)
  const owned = cleanup.move()
  let databases = 0
  return {
    async newDatabase() {
      const name = `d${++databases}`
      const client = new pg.Client({ connectionString: admin })
      await client.connect()
      await client.query(`create database ${name}`)
      await client.end()
      return `postgres://labernetes@127.0.0.1:${port}/${name}`
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function findPrograms(): Promise<string | null> {
  const root = '/usr/lib/postgresql'
  const versions = await readdir(root).catch(() => [])
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0]
  return newest ? path.join(root, newest, 'bin') : null
}

async function userIds(name: string): Promise<{ uid: number; gid: number }> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith(`${name}:`))
  if (!line) throw new Error(`There is no user ${name} on this machine`)
  const fields = line.split(':')
  return { uid: Number(fields[2]), gid: Number(fields[3]) }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function untilAnswers(url: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if (attempt === 200) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
