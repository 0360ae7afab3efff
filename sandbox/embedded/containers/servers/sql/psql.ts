import { NetworkError } from '../../../network/network.ts'
import { type Process, TimeoutFault } from '../../kernel/process.ts'
import { last, parseOptions } from '../../programs/options.ts'
import { lines } from '../../programs/text.ts'
import { type Outcome, statementsOf } from './database.ts'
import type { Answer, Question } from './server.ts'
import { openSession, type Session } from './session.ts'

const help = 'psql runs -c, -f and what is typed; of its own commands \\l, \\dt, \\d TABLE, \\c DATABASE, \\conninfo and \\q\n'

/** psql, as far as lessons use it: statements from -c, -f or its input, tables aligned or plain (-A, -t). */
export async function psql(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'h:p:U:d:c:f:tAqwWv:F:Xx', {
    'host=': 'h',
    'port=': 'p',
    'username=': 'U',
    'dbname=': 'd',
    'command=': 'c',
    'file=': 'f',
    'tuples-only': 't',
    'no-align': 'A',
    quiet: 'q',
    'no-password': 'w',
    'field-separator=': 'F',
    version: 'V',
    help: '?',
  })
  if (options.flags.has('V') || options.flags.has('?')) {
    await process.print(options.flags.has('V') ? 'psql (PostgreSQL) 17.5\n' : help)
    return 0
  }
  const env = (name: string) => process.env.get(name)
  const url = /^postgres(?:ql)?:\/\/(?:([^:@]*)(?::([^@]*))?@)?([^:/?]*)(?::(\d+))?(?:\/([^?]*))?/.exec(
    options.operands[0] ?? last(options, 'd') ?? '',
  )
  const host = last(options, 'h') ?? url?.[3] ?? env('PGHOST') ?? ''
  const port = Number(last(options, 'p') ?? url?.[4] ?? env('PGPORT') ?? 5432)
  const user = last(options, 'U') ?? url?.[1] ?? env('PGUSER') ?? (process.uid === 0 ? 'root' : 'postgres')
  const password = url?.[2] ?? env('PGPASSWORD')
  const named = url ? url[5] : (last(options, 'd') ?? options.operands[0])
  const client = new Client(
    process,
    { user, ...(password !== undefined && { password }), database: named || env('PGDATABASE') || user },
    options.flags,
  )
  const failed = await client.connect(host, port)
  if (failed !== undefined) {
    await process.complain(`psql: error: ${failed}\n`)
    return 2
  }
  const given = options.values.get('c') ?? []
  const file = last(options, 'f')
  if (file !== undefined) given.push(Buffer.from(await process.readWhole(file)).toString())
  if (given.length > 0) {
    let status = 0
    for (const text of given) if (!(await client.runAll(text))) status = 1
    return status
  }
  return await client.converse()
}

class Client {
  private readonly process: Process
  private readonly who: Question
  private readonly flags: { has(flag: string): boolean }
  private session: Session | undefined

  constructor(process: Process, who: Question, flags: { has(flag: string): boolean }) {
    this.process = process
    this.who = who
    this.flags = flags
  }

  /** Why it did not work, in libpq's words. */
  async connect(host: string, port: number): Promise<string | undefined> {
    const at = host === '' || host.startsWith('/')
    const ip = at ? '127.0.0.1' : await this.process.until(() => this.process.machine.network.lookup(host)).catch(() => undefined)
    const where = at
      ? 'connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: '
      : `connection to server at "${host}"${ip && ip !== host ? ` (${ip})` : ''}, port ${port} failed: `
    if (ip === undefined) return `could not translate host name "${host}" to address: Name or service not known`
    try {
      this.session = await openSession(this.process, ip, port)
    } catch (error) {
      if (error instanceof TimeoutFault || (error instanceof NetworkError && error.code === 'ETIMEDOUT')) {
        return `${where}Connection timed out\n\tIs the server running on that host and accepting TCP/IP connections?`
      }
      if (!(error instanceof NetworkError)) throw error
      if (at) return `${where}No such file or directory\n\tIs the server running locally and accepting connections on that socket?`
      return `${where}Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?`
    }
    const answer = await this.session.ask(this.who)
    return 'fault' in answer ? where + this.refusal(answer) : undefined
  }

  /** Whether all went well. */
  async runAll(text: string): Promise<boolean> {
    let fine = true
    for (const statement of text.trim().startsWith('\\') ? [text.trim()] : statementsOf(text)) {
      if (!(await this.run(statement))) fine = false
    }
    return fine
  }

  async converse(): Promise<number> {
    const { process } = this
    const stdin = process.files.get(0)
    if (!stdin) return 0
    const tty = stdin.kind === 'tty'
    if (tty) await process.print('psql (17.5)\nType "help" for help.\n\n')
    let pending = ''
    const prompt = async () => {
      if (tty) await process.print(`${this.who.database}${pending === '' ? '=' : '-'}# `)
    }
    await prompt()
    for await (const line of lines(process, stdin)) {
      if (pending === '' && /^\s*(?:\\q|exit|quit)\s*$/.test(line)) return 0
      pending += `${line}\n`
      if (/^\s*\\/.test(line) || /;\s*$/.test(line)) {
        await this.runAll(pending)
        pending = ''
      } else if (pending.trim() === '') pending = ''
      await prompt()
    }
    return pending.trim() === '' || (await this.runAll(pending)) ? 0 : 1
  }

  private async run(statement: string): Promise<boolean> {
    const { process, who } = this
    const answer = await this.ask(statement)
    if (answer === undefined) return true
    if ('fault' in answer) {
      await process.complain(answer.refused ? `${this.refusal(answer)}\n` : `ERROR:  ${faultOf(answer.fault, statement)}\n`)
      return false
    }
    if ('outcome' in answer) {
      await process.print(this.shown(answer.outcome))
      return true
    }
    const owner = who.user
    if (answer.columns) {
      const [, table = ''] = /^\\d\s+(\S+)/.exec(statement) ?? []
      if (answer.columns.length === 0) {
        await process.complain(`Did not find any relation named "${table}".\n`)
        return false
      }
      const rows = answer.columns.map(({ name, type, required }) => [name, type.toLowerCase(), '', required ? 'not null' : '', ''])
      await process.print(`${aligned(['Column', 'Type', 'Collation', 'Nullable', 'Default'], rows, `Table "public.${table}"`)}\n`)
    } else if (statement.startsWith('\\dt') || statement === '\\d') {
      if (answer.tables.length === 0) await process.print('Did not find any relations.\n')
      else
        await process.print(
          this.table(
            ['Schema', 'Name', 'Type', 'Owner'],
            answer.tables.map((name) => ['public', name, 'table', owner]),
            'List of relations',
          ),
        )
    } else {
      const rows = [...answer.databases, 'template0', 'template1'].map((name) => [
        name,
        'postgres',
        'UTF8',
        'libc',
        'en_US.utf8',
        'en_US.utf8',
      ])
      await process.print(this.table(['Name', 'Owner', 'Encoding', 'Locale Provider', 'Collate', 'Ctype'], rows, 'List of databases'))
    }
    return true
  }

  /** Undefined where it was answered here. */
  private async ask(statement: string): Promise<Answer | undefined> {
    const { process, who } = this
    const session = this.session as Session
    if (!statement.startsWith('\\')) return await session.ask({ ...who, sql: statement })
    const [word = '', argument] = statement.split(/\s+/)
    if (word === '\\c' && argument) {
      const answer = await session.ask({ ...who, database: argument })
      if ('fault' in answer) return answer
      who.database = argument
      await process.print(`You are now connected to database "${argument}" as user "${who.user}".\n`)
      return undefined
    }
    if (word === '\\d' && argument) return await session.ask({ ...who, sql: `\\columns ${argument}` })
    if (['\\l', '\\list', '\\dt', '\\d'].includes(word)) return await session.ask({ ...who, sql: '\\tables' })
    if (word === '\\conninfo') await process.print(`You are connected to database "${who.database}" as user "${who.user}".\n`)
    else await process.complain(`invalid command ${word}\nTry \\? for help.\n`)
    return undefined
  }

  private shown({ columns, rows, tag }: Outcome): string {
    if (!columns) return this.flags.has('q') ? '' : `${tag}\n`
    return this.table(
      columns.map(columnName),
      rows.map((row) => row.map((value) => (value === null ? '' : String(value)))),
    )
  }

  private table(columns: string[], rows: string[][], title?: string): string {
    const only = this.flags.has('t')
    if (this.flags.has('A')) {
      const body = [...(only ? [] : [columns]), ...rows].map((row) => `${row.join('|')}\n`).join('')
      return only ? body : `${body}(${rows.length} row${rows.length === 1 ? '' : 's'})\n`
    }
    if (only) return `${aligned(columns, rows).split('\n').slice(2).join('\n')}\n`
    return `${aligned(columns, rows, title)}(${rows.length} row${rows.length === 1 ? '' : 's'})\n\n`
  }

  private refusal({ fault, refused }: Extract<Answer, { fault: string }>): string {
    if (refused === 'database') return `FATAL:  database "${fault}" does not exist`
    if (refused === 'user') return `FATAL:  role "${fault}" does not exist`
    return this.who.password === undefined
      ? 'fe_sendauth: no password supplied'
      : `FATAL:  password authentication failed for user "${fault}"`
  }
}

/** As PostgreSQL names what has no name. */
function columnName(text: string): string {
  const call = /^(\w+)\(.*\)$/.exec(text)
  return (call?.[1] ?? (/^[\w ]+$/.test(text) && !/^\d/.test(text) ? text : '?column?')).toLowerCase()
}

function aligned(columns: readonly string[], rows: readonly string[][], title?: string): string {
  const widths = columns.map((name, index) => Math.max(name.length, ...rows.map((row) => (row[index] ?? '').length)))
  const numeric = columns.map((_, index) => rows.length > 0 && rows.every((row) => /^-?[\d.]*$/.test(row[index] ?? '')))
  const total = widths.reduce((sum, width) => sum + width + 3, -1)
  const head = columns.map((name, index) => {
    const spare = (widths[index] as number) - name.length
    return ` ${' '.repeat(Math.floor(spare / 2))}${name}${' '.repeat(Math.ceil(spare / 2))} `
  })
  const body = rows.map((row) =>
    row
      .map((value, index) => ` ${numeric[index] ? value.padStart(widths[index] as number) : value.padEnd(widths[index] as number)} `)
      .join('|')
      .trimEnd(),
  )
  const heading = title === undefined ? [] : [' '.repeat(Math.max(0, Math.floor((total - title.length) / 2))) + title]
  return `${[...heading, head.join('|'), widths.map((width) => '-'.repeat(width + 2)).join('+'), ...body].join('\n')}\n`
}

function faultOf(text: string, statement: string): string {
  const table = /no such table: (?:main\.)?(\S+)/.exec(text)?.[1]
  if (table)
    return `relation "${table}" does not exist\nLINE 1: ${statement}\n        ${' '.repeat(Math.max(0, statement.indexOf(table)))}^`
  const near = /near "([^"]*)": syntax error/.exec(text)?.[1]
  if (near !== undefined)
    return `syntax error at or near "${near}"\nLINE 1: ${statement}\n        ${' '.repeat(Math.max(0, statement.indexOf(near)))}^`
  const column = /no such column: "?(\S+?)"?(?: - .*)?$/.exec(text)?.[1]
  if (column) return `column "${column}" does not exist`
  const twice = /UNIQUE constraint failed: (\w+)\.(\w+)/.exec(text)
  if (twice) return `duplicate key value violates unique constraint "${twice[1]}_${twice[2] === 'id' ? 'pkey' : `${twice[2]}_key`}"`
  const empty = /NOT NULL constraint failed: (\w+)\.(\w+)/.exec(text)
  if (empty) return `null value in column "${empty[2]}" of relation "${empty[1]}" violates not-null constraint`
  const there = /table "?(\w+)"? already exists/.exec(text)?.[1]
  return there ? `relation "${there}" already exists` : text
}
