import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres'
import { migrate as migratePostgres } from 'drizzle-orm/node-postgres/migrator'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator'
import pg from 'pg'
import { lockFolder } from './folder-lock.ts'
import type { Log } from './log.ts'
import * as schema from './schema.ts'

/** What queries are written against, whichever of the two runs them. A transaction is one too. */
export type Queries = PgDatabase<PgQueryResultHKT, typeof schema>

export interface Database extends AsyncDisposable {
  readonly queries: Queries
}

export interface DatabaseOptions {
  /** postgres://... ; PGlite in `folder` unless given. */
  url?: string | undefined
  /** Where PGlite keeps its files. */
  folder: string
  log: Log
}

const migrationsFolder = path.join(import.meta.dirname, 'migrations')
/** PGlite's own 128MB are for a machine that does nothing else; it halves what the process takes. */
const sharedBuffers = '16MB'
/** Any number that no other program uses for the same purpose in the same database. */
const migrationLock = 7_205_759_403

/**
 * Opens the database and brings its tables up to date. Several processes may start on one Postgres at the same time: one
 * migrates, the others wait. A PGlite folder belongs to one process; a second one is refused with a sentence that says so.
 */
export async function openDatabase({ url, folder, log }: DatabaseOptions): Promise<Database> {
  return url ? openPostgres(url, log) : openPglite(folder)
}

async function openPglite(folder: string): Promise<Database> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await using cleanup = new AsyncDisposableStack()
  cleanup.use(await lockFolder(folder))
  const client = await PGlite.create(folder, { startParams: [...PGlite.defaultStartParams, '-c', `shared_buffers=${sharedBuffers}`] })
  cleanup.defer(() => client.close())
  const queries = drizzlePglite(client, { schema })
  await migratePglite(queries, { migrationsFolder })
  const owned = cleanup.move()
  return { queries, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function openPostgres(url: string, log: Log): Promise<Database> {
  await using cleanup = new AsyncDisposableStack()
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  cleanup.defer(() => pool.end())
  // A connection that breaks while it is idle is replaced by the pool; without a listener it would end the process.
  pool.on('error', (error) => log.warn({ err: error }, 'a connection to the database broke'))
  const client = await pool.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [migrationLock])
    try {
      await migratePostgres(drizzlePostgres(client, { schema }), { migrationsFolder })
    } finally {
      await client.query('select pg_advisory_unlock($1)', [migrationLock])
    }
  } finally {
    client.release()
  }
  const owned = cleanup.move()
  return { queries: drizzlePostgres(pool, { schema }), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
