import type { Connection } from '../../../network/network.ts'
import { NetworkError } from '../../../network/network.ts'
import type { Process } from '../../kernel/process.ts'
import { type Change, type Dialect, type Outcome, SqlDatabase, SqlFault, statementsOf } from './database.ts'

/** What a client sends, a line of JSON: who it is with the first, then one statement each. */
export interface Question {
  user: string
  password?: string
  database?: string
  sql?: string
}

/** What it gets for each: an outcome, a fault in the engine's words, or why it is not let in. */
export type Answer =
  | { outcome: Outcome }
  | { fault: string; refused?: 'password' | 'database' | 'user' }
  | { tables: string[]; databases: string[]; columns?: ReturnType<SqlDatabase['columns']> }

/** What a server knows of itself. */
export interface ServerFacts {
  dialect: Dialect
  port: number
  /** Its data folder, in which each database is a file of changes. */
  folder: string
  version: string
  /** Users with their passwords; '' lets in without one. */
  users: ReadonlyMap<string, string>
  /** There from the start. */
  databases: readonly string[]
  /** Clients of the same Pod need no password. */
  trustsLoopback: boolean
}

/** Databases behind a port, kept in files of the container or of what is mounted there. Throws NetworkError EADDRINUSE. */
export function serveSql(process: Process, facts: ServerFacts): void {
  const databases = new Databases(process, facts)
  const listener = process.machine.network.listen(facts.port, { accept: (connection) => converse(process, facts, databases, connection) })
  process.onEnd(() => {
    listener[Symbol.dispose]()
    databases[Symbol.dispose]()
  })
}

class Databases implements Disposable {
  private readonly process: Process
  private readonly facts: ServerFacts
  private readonly open = new Map<string, SqlDatabase>()

  constructor(process: Process, facts: ServerFacts) {
    this.process = process
    this.facts = facts
    process.fs.mkdirs(facts.folder, process.who, 0o700)
    for (const name of facts.databases) if (!this.names().includes(name)) process.fs.write(this.file(name), '', process.who, 0o600)
  }

  names(): string[] {
    const { fs, who } = this.process
    return fs.list(this.facts.folder, who).flatMap(([name]) => (name.endsWith('.db') ? [name.slice(0, -3)] : []))
  }

  create(name: string): void {
    if (this.names().includes(name)) throw new SqlFault(`database "${name}" already exists`)
    this.process.fs.write(this.file(name), '', this.process.who, 0o600)
  }

  drop(name: string): void {
    if (!this.names().includes(name)) throw new SqlFault(`database "${name}" does not exist`)
    this.open.get(name)?.[Symbol.dispose]()
    this.open.delete(name)
    this.process.fs.unlink(this.file(name), this.process.who)
  }

  /** A database with what its file has been told so far. */
  async get(name: string): Promise<SqlDatabase> {
    const known = this.open.get(name)
    if (known) return known
    const { dialect, version, users } = this.facts
    const database = new SqlDatabase(dialect, { name, version, user: [...users.keys()][0] ?? '' })
    const text = Buffer.from(await this.process.readWhole(this.file(name))).toString()
    for (const line of text.split('\n').filter((each) => each !== '')) {
      const { sql, at } = JSON.parse(line) as Change
      database.run(sql, at)
    }
    this.open.set(name, database)
    return database
  }

  async run(name: string, sql: string): Promise<Outcome> {
    const at = this.process.machine.now()
    const { changed, ...outcome } = (await this.get(name)).run(sql, at)
    if (changed) {
      const change: Change = { sql, at }
      const before = Buffer.from(await this.process.readWhole(this.file(name))).toString()
      this.process.fs.write(this.file(name), `${before}${JSON.stringify(change)}\n`, this.process.who)
    }
    return outcome
  }

  [Symbol.dispose](): void {
    for (const database of this.open.values()) database[Symbol.dispose]()
  }

  private file(name: string): string {
    return `${this.facts.folder}/${name}.db`
  }
}

function converse(process: Process, facts: ServerFacts, databases: Databases, connection: Connection): void {
  let buffer = ''
  let queue = Promise.resolve()
  connection.onEnd(() => connection.end())
  connection.onData((chunk) => {
    buffer += Buffer.from(chunk).toString()
    const lines = buffer.split('\n')
    buffer = lines.pop() ?? ''
    for (const line of lines) {
      queue = queue.then(async () => {
        const answer = await answerTo(facts, databases, connection, line)
        if (answer && !process.ended) connection.write(Buffer.from(`${JSON.stringify(answer)}\n`))
        else connection[Symbol.dispose]()
      })
    }
  })
}

/** Undefined for who speaks another protocol. */
async function answerTo(facts: ServerFacts, databases: Databases, { remote }: Connection, line: string): Promise<Answer | undefined> {
  let question: Question
  try {
    question = JSON.parse(line) as Question
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  const { user, password = '', database = '', sql } = question
  const expected = facts.users.get(user)
  const trusted = facts.trustsLoopback && remote.ip.startsWith('127.')
  if (expected === undefined) return { fault: user, refused: trusted ? 'user' : 'password' }
  if (!trusted && expected !== password) return { fault: user, refused: 'password' }
  if (database !== '' && !databases.names().includes(database)) return { fault: database, refused: 'database' }
  try {
    if (sql === undefined || /^\\(?:tables|columns )/.test(sql)) return await described(databases, database, sql)
    const made = /^(create|drop)\s+(?:database|schema)\s+(?:if\s+(?:not\s+)?exists\s+)?["`]?([\w-]+)["`]?/i.exec(sql)
    if (made) {
      const [, verb = '', name = ''] = made
      const exists = databases.names().includes(name)
      const tolerant = /\bif\s+(?:not\s+)?exists\b/i.test(sql)
      if (!(tolerant && exists === (verb.toLowerCase() === 'create'))) databases[verb.toLowerCase() as 'create' | 'drop'](name)
      return { outcome: { rows: [], changes: 1, tag: `${verb.toUpperCase()} DATABASE` } }
    }
    if (database === '') return { fault: '', refused: 'database' }
    const [statement = ''] = statementsOf(sql)
    return { outcome: await databases.run(database, statement) }
  } catch (error) {
    if (error instanceof SqlFault || error instanceof NetworkError) return { fault: error.message }
    throw error
  }
}

async function described(databases: Databases, name: string, sql = ''): Promise<Answer> {
  const found = { databases: databases.names().sort(), tables: name === '' ? [] : (await databases.get(name)).tables() }
  const table = /^\\columns (.+)$/.exec(sql)?.[1]
  return table === undefined ? found : { ...found, columns: (await databases.get(name)).columns(table) }
}
