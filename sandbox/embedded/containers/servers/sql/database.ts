import { constants, DatabaseSync } from 'node:sqlite'

/** What a statement came to. `columns` is there where it gives rows; `tag` is PostgreSQL's word for what it did. */
export interface Outcome {
  columns?: string[]
  rows: (string | number | null)[][]
  changes: number
  tag: string
}

export type Dialect = 'postgres' | 'mysql'

/** A statement that changed something, with the moment that its now() means (ms). */
export interface Change {
  sql: string
  at: number
}

/** Bytes of a database, and steps of a statement, at most: one learner's query must not hold up the process. */
const mostBytes = 4 * 1024 * 1024
const mostSteps = 4_000_000

export class SqlFault extends Error {}

/**
 * One database in memory: SQLite with the few words that lessons use of PostgreSQL and MySQL. It reaches nothing outside of
 * itself, and what it holds is the sum of its changes.
 */
export class SqlDatabase implements Disposable {
  private readonly database = new DatabaseSync(':memory:')
  private readonly dialect: Dialect
  private at = 0
  private drawn = 0

  constructor(dialect: Dialect, facts: { name: string; version: string; user: string }) {
    this.dialect = dialect
    const { database } = this
    const now = () =>
      new Date(this.at)
        .toISOString()
        .replace('T', ' ')
        .replace('Z', dialect === 'postgres' ? '+00' : '')
        .replace(/\.\d+$/, '')
    const own: Record<string, () => string | number> = {
      now,
      current_timestamp_: now,
      version: () => facts.version,
      current_database: () => facts.name,
      database: () => facts.name,
      user: () => facts.user,
      random: () => this.random(),
      rand: () => this.random(),
      pg_is_in_recovery: () => 'f',
    }
    for (const [name, give] of Object.entries(own)) database.function(name, give)
    database.setAuthorizer((action, first, second) => this.permits(action, first, second))
  }

  /** Carries out one statement. Throws SqlFault in SQLite's words. */
  run(sql: string, at: number): Outcome & { changed: boolean } {
    this.at = at
    this.drawn = 0
    const text = toSqlite(sql, this.dialect)
    this.demandBrief(text)
    try {
      const before = this.state()
      const statement = this.database.prepare(text)
      const columns = statement.columns().map(({ name }) => name)
      const rows = columns.length > 0 ? statement.all().map((row) => Object.values(row).map(plain)) : []
      const changes = columns.length > 0 ? rows.length : Number(statement.run().changes)
      if (this.bytes() > mostBytes) throw new SqlFault('could not extend file: No space left on device')
      const changed = this.state() !== before || /^\s*(?:create|drop|alter|truncate)/i.test(sql)
      return { ...(columns.length > 0 && { columns }), rows, changes, tag: tagOf(sql, rows.length, changes), changed }
    } catch (error) {
      if (error instanceof SqlFault) throw error
      throw new SqlFault(error instanceof Error ? error.message : String(error))
    }
  }

  tables(): string[] {
    const found = this.database
      .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name")
      .all()
    return found.map(({ name }) => String(name))
  }

  columns(table: string): { name: string; type: string; required: boolean; key: boolean }[] {
    if (!this.tables().includes(table)) return []
    const found = this.database.prepare(`pragma table_info("${table.replaceAll('"', '""')}")`).all()
    return found.map(({ name, type, notnull, pk }) => ({
      name: String(name),
      type: String(type),
      required: notnull === 1 || pk === 1,
      key: pk === 1,
    }))
  }

  [Symbol.dispose](): void {
    this.database.close()
  }

  /** The same draws for the same statement at the same time. */
  private random(): number {
    const seed = Math.sin(this.at / 1000 + ++this.drawn * 12.9898) * 43758.5453
    return seed - Math.floor(seed)
  }

  private bytes(): number {
    const read = (name: string) => Number(Object.values(this.database.prepare(`pragma ${name}`).get() ?? {})[0] ?? 0)
    return read('page_count') * read('page_size')
  }

  private state(): string {
    const { changes } = this.database.prepare('select total_changes() as changes').get() as { changes: number }
    return String(changes)
  }

  /** Each mention of a table may be a loop over all its rows. */
  private demandBrief(text: string): void {
    let steps = 1
    for (const table of this.tables()) {
      const mentions = text.toLowerCase().split(new RegExp(`\\b${table.toLowerCase().replace(/[^\w]/g, '.')}\\b`)).length - 1
      if (mentions === 0) continue
      const { count } = this.database.prepare(`select count(*) as count from "${table.replaceAll('"', '""')}"`).get() as { count: number }
      steps *= Math.max(1, count) ** mentions
    }
    if (steps > mostSteps) throw new SqlFault('canceling statement due to statement timeout')
  }

  private permits(action: number, first: string | null, second: string | null): number {
    const { SQLITE_OK, SQLITE_DENY, SQLITE_ATTACH, SQLITE_DETACH, SQLITE_RECURSIVE, SQLITE_FUNCTION, SQLITE_PRAGMA, SQLITE_READ } =
      constants
    if (action === SQLITE_ATTACH || action === SQLITE_DETACH || action === SQLITE_RECURSIVE) return SQLITE_DENY
    if (action === SQLITE_FUNCTION) return functions.has((second ?? '').toLowerCase()) ? SQLITE_OK : SQLITE_DENY
    if (action === SQLITE_PRAGMA) return pragmas.has(first ?? '') ? SQLITE_OK : SQLITE_DENY
    if (action === SQLITE_READ && /^(?:json_|pragma_|generate_series|dbstat)/.test(first ?? '')) return SQLITE_DENY
    return SQLITE_OK
  }
}

const pragmas = new Set(['table_info', 'page_count', 'page_size'])
const functions = new Set(
  'now current_timestamp_ version current_database database user random rand pg_is_in_recovery total_changes count sum min max avg total lower upper length coalesce ifnull nullif substr substring trim ltrim rtrim round abs concat concat_ws like date datetime time strftime row_number rank'.split(
    ' ',
  ),
)

/** The statements of a text, without their semicolons. */
export function statementsOf(text: string): string[] {
  const parts = text.match(/(?:'(?:[^']|'')*'|"[^"]*"|`[^`]*`|--[^\n]*|\/\*[\s\S]*?\*\/|[^;])+/g) ?? []
  return parts.map((part) => part.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, ' ').trim()).filter((part) => part !== '')
}

const common: [RegExp, string][] = [
  [/\bdefault\s+(?:current_timestamp(?:\(\))?|now\(\))/gi, 'default (now())'],
  [/\bcurrent_timestamp(?:\(\))?/gi, 'current_timestamp_()'],
]
const words: Record<Dialect, [RegExp, string][]> = {
  postgres: [
    ...common,
    [/\b(?:big|small)?serial(\s+primary\s+key)?/gi, 'integer primary key autoincrement'],
    [/\bint(?:eger)?\s+generated\s+(?:always|by\s+default)\s+as\s+identity(\s+primary\s+key)?/gi, 'integer primary key autoincrement'],
    [/::\w+(?:\(\d+\))?/g, ''],
    [/\btruncate\s+(?:table\s+)?/gi, 'delete from '],
    [/\bilike\b/gi, 'like'],
    [/\bdrop\s+table\s+(.*?)\s+cascade/gi, 'drop table $1'],
  ],
  mysql: [
    ...common,
    [
      /\b(?:big|small|tiny)?int(?:eger)?(?:\(\d+\))?(?:\s+unsigned)?((?:\s+not\s+null)?)\s+auto_increment(?:\s+primary\s+key)?/gi,
      'integer primary key autoincrement',
    ],
    [/,\s*primary\s+key\s*\(\s*`?id`?\s*\)/gi, ''],
    [/\)\s*(?:engine|default\s+charset|charset)\s*=.*$/gi, ')'],
    [/\btruncate\s+(?:table\s+)?/gi, 'delete from '],
    [/\binsert\s+ignore\b/gi, 'insert or ignore'],
  ],
}

function toSqlite(sql: string, dialect: Dialect): string {
  // MySQL's strings may stand in double quotes.
  const quoted = dialect === 'mysql' ? sql.replace(/"((?:[^"]|"")*)"/g, (_, text: string) => `'${text.replaceAll("'", "''")}'`) : sql
  return quoted
    .split(/('(?:[^']|'')*')/)
    .map((part, index) =>
      index % 2 === 1 ? part : words[dialect].reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), part),
    )
    .join('')
}

function tagOf(sql: string, rows: number, changes: number): string {
  const [first = '', second = ''] = sql.trim().toUpperCase().split(/\s+/)
  if (first === 'SELECT' || first === 'VALUES' || first === 'WITH') return `SELECT ${rows}`
  if (first === 'INSERT') return `INSERT 0 ${changes}`
  if (first === 'UPDATE' || first === 'DELETE') return `${first} ${changes}`
  if (first === 'TRUNCATE') return 'TRUNCATE TABLE'
  return ['CREATE', 'DROP', 'ALTER'].includes(first) ? `${first} ${second}` : first
}

function plain(value: unknown): string | number | null {
  return typeof value === 'number' || value === null ? value : String(value)
}
