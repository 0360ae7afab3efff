import { NetworkError } from '../../../network/network.ts'
import { type Process, TimeoutFault } from '../../kernel/process.ts'
import { last, parseOptions } from '../../programs/options.ts'
import { lines } from '../../programs/text.ts'
import { type Outcome, statementsOf } from './database.ts'
import type { Answer, Question } from './server.ts'
import { openSession, type Session } from './session.ts'

/** mysql, as far as lessons use it: statements from -e or its input, with tabs or, on a terminal, in boxes. */
export async function mysql(process: Process): Promise<number> {
  // A password stands right behind -p; without one it would be asked for.
  const glued = process.args.find((arg) => /^-p./.test(arg))?.slice(2)
  const args = process.args.filter((arg) => !/^-p/.test(arg))
  const options = parseOptions(args, 'h:P:u:e:D:NBts', {
    'host=': 'h',
    'port=': 'P',
    'user=': 'u',
    'password=': 'w',
    'execute=': 'e',
    'database=': 'D',
    'skip-column-names': 'N',
    batch: 'B',
    table: 't',
    silent: 's',
    version: 'V',
  })
  if (options.flags.has('V')) {
    await process.print('mysql  Ver 8.4.5 for Linux on x86_64 (MySQL Community Server - GPL)\n')
    return 0
  }
  const password = glued ?? last(options, 'w') ?? process.env.get('MYSQL_PWD')
  if (glued !== undefined || last(options, 'w') !== undefined) {
    await process.complain('mysql: [Warning] Using a password on the command line interface can be insecure.\n')
  }
  const who: Question = {
    user: last(options, 'u') ?? 'root',
    ...(password !== undefined && { password }),
    database: last(options, 'D') ?? options.operands[0] ?? '',
  }
  const host = last(options, 'h')
  const port = Number(last(options, 'P') ?? 3306)
  const terminal = process.files.get(1)?.kind === 'tty'
  const boxes = options.flags.has('t') || (terminal && !options.flags.has('B') && !options.flags.has('s'))
  const client: Client = { process, who, boxes, names: !options.flags.has('N') }
  const session = await connected(client, host, port)
  if (typeof session === 'number') return session
  const given = options.values.get('e')
  if (given) {
    for (const text of given) if (!(await runAll(client, session, text))) return 1
    return 0
  }
  return await converse(client, session)
}

interface Client {
  process: Process
  who: Question
  boxes: boolean
  names: boolean
}

async function connected({ process, who }: Client, host: string | undefined, port: number): Promise<Session | number> {
  const local = host === undefined || host === 'localhost'
  try {
    const session = await openSession(process, local ? '127.0.0.1' : host, port)
    const answer = await session.ask(who)
    if (!('fault' in answer)) return session
    await process.complain(`ERROR ${refusal(answer, who, local ? 'localhost' : process.machine.network.ip)}\n`)
  } catch (error) {
    if (!(error instanceof TimeoutFault || error instanceof NetworkError)) throw error
    const code = error instanceof NetworkError ? error.code : 'ETIMEDOUT'
    const number = code === 'ECONNREFUSED' ? 111 : 110
    if (local)
      await process.complain("ERROR 2002 (HY000): Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)\n")
    else if (code === 'ENOTFOUND') await process.complain(`ERROR 2005 (HY000): Unknown MySQL server host '${host}' (-2)\n`)
    else await process.complain(`ERROR 2003 (HY000): Can't connect to MySQL server on '${host}:${port}' (${number})\n`)
  }
  return 1
}

async function converse(client: Client, session: Session): Promise<number> {
  const { process } = client
  const stdin = process.files.get(0)
  if (!stdin) return 0
  const tty = stdin.kind === 'tty'
  if (tty)
    await process.print(
      "Welcome to the MySQL monitor.  Commands end with ; or \\g.\nServer version: 8.4.5 MySQL Community Server - GPL\n\nType 'help;' or '\\h' for help.\n\n",
    )
  let pending = ''
  const prompt = async () => {
    if (tty) await process.print(pending === '' ? 'mysql> ' : '    -> ')
  }
  await prompt()
  for await (const line of lines(process, stdin)) {
    if (pending === '' && /^\s*(?:exit|quit|\\q);?\s*$/i.test(line)) {
      if (tty) await process.print('Bye\n')
      return 0
    }
    pending += `${line}\n`
    if (/(?:;|\\g)\s*$/.test(line)) {
      const fine = await runAll(client, session, pending.replace(/\\g\s*$/, ''))
      if (!fine && !tty) return 1
      pending = ''
    } else if (pending.trim() === '') pending = ''
    await prompt()
  }
  return pending.trim() === '' || (await runAll(client, session, pending)) ? 0 : 1
}

async function runAll(client: Client, session: Session, text: string): Promise<boolean> {
  for (const statement of statementsOf(text)) if (!(await run(client, session, statement))) return false
  return true
}

async function run(client: Client, session: Session, statement: string): Promise<boolean> {
  const { process, who } = client
  const used = /^use\s+`?([\w-]+)`?$/i.exec(statement)?.[1]
  const show = /^show\s+(databases|schemas|tables)$/i.exec(statement)?.[1]?.toLowerCase()
  const described = /^(?:describe|desc|show\s+columns\s+from)\s+`?(\w+)`?$/i.exec(statement)?.[1]
  const asked = { ...who, ...(used !== undefined && { database: used }) }
  const sql = used !== undefined || show ? '\\tables' : described ? `\\columns ${described}` : statement
  if (who.database === '' && (show === 'tables' || described)) return await failed(process, '1046 (3D000) at line 1: No database selected')
  const answer = await session.ask({ ...asked, sql })
  if ('fault' in answer) {
    const text = answer.refused ? refusal(answer, who, 'localhost') : faultOf(answer.fault, who.database ?? '')
    return await failed(process, text.replace(/^(\d+ \(\w+\)):/, '$1 at line 1:'))
  }
  if (used !== undefined) {
    who.database = used
    if (client.boxes) await process.print('Database changed\n')
  } else if ('outcome' in answer) await process.print(shown(client, answer.outcome))
  else if (show === 'tables')
    await print(
      client,
      [`Tables_in_${who.database}`],
      answer.tables.map((name) => [name]),
    )
  else if (show)
    await print(
      client,
      ['Database'],
      ['information_schema', ...answer.databases].map((name) => [name]),
    )
  else if (answer.columns?.length === 0)
    return await failed(process, `1146 (42S02) at line 1: Table '${who.database}.${described}' doesn't exist`)
  else {
    const rows = (answer.columns ?? []).map(({ name, type, required, key }) => [
      name,
      type.toLowerCase(),
      required ? 'NO' : 'YES',
      key ? 'PRI' : '',
      'NULL',
      '',
    ])
    await print(client, ['Field', 'Type', 'Null', 'Key', 'Default', 'Extra'], rows)
  }
  return true
}

async function failed(process: Process, text: string): Promise<false> {
  await process.complain(`ERROR ${text}\n`)
  return false
}

async function print(client: Client, columns: string[], rows: string[][]): Promise<void> {
  await client.process.print(shown(client, { columns, rows, changes: 0, tag: '' }))
}

function shown({ boxes, names }: Client, { columns, rows, changes }: Outcome): string {
  const texts = rows.map((row) => row.map((value) => (value === null ? 'NULL' : String(value))))
  if (!columns) return boxes ? `Query OK, ${changes} row${changes === 1 ? '' : 's'} affected (0.01 sec)\n\n` : ''
  if (!boxes) return texts.length === 0 ? '' : [...(names ? [columns] : []), ...texts].map((row) => `${row.join('\t')}\n`).join('')
  if (texts.length === 0) return 'Empty set (0.00 sec)\n\n'
  const widths = columns.map((name, index) => Math.max(name.length, ...texts.map((row) => (row[index] ?? '').length)))
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+\n`
  const row = (values: readonly string[]) => `|${values.map((value, index) => ` ${value.padEnd(widths[index] as number)} `).join('|')}|\n`
  return `${rule}${row(columns)}${rule}${texts.map(row).join('')}${rule}${rows.length} row${rows.length === 1 ? '' : 's'} in set (0.00 sec)\n\n`
}

function refusal({ fault, refused }: Extract<Answer, { fault: string }>, who: Question, from: string): string {
  if (refused === 'database') return fault === '' ? '1046 (3D000): No database selected' : `1049 (42000): Unknown database '${fault}'`
  return `1045 (28000): Access denied for user '${who.user}'@'${from}' (using password: ${who.password === undefined ? 'NO' : 'YES'})`
}

function faultOf(text: string, database: string): string {
  const table = /no such table: (?:main\.)?(\S+)/.exec(text)?.[1]
  if (table) return `1146 (42S02): Table '${database}.${table}' doesn't exist`
  const column = /no such column: "?(\S+?)"?(?: - .*)?$/.exec(text)?.[1]
  if (column) return `1054 (42S22): Unknown column '${column}' in 'field list'`
  const twice = /UNIQUE constraint failed: (\w+)\.(\w+)/.exec(text)
  if (twice) return `1062 (23000): Duplicate entry for key '${twice[1]}.${twice[2] === 'id' ? 'PRIMARY' : twice[2]}'`
  const there = /table `?"?(\w+)"?`? already exists/.exec(text)?.[1]
  if (there) return `1050 (42S01): Table '${there}' already exists`
  const base = /database "(.*)" (already exists|does not exist)/.exec(text)
  if (base?.[2] === 'already exists') return `1007 (HY000): Can't create database '${base[1]}'; database exists`
  if (base) return `1008 (HY000): Can't drop database '${base[1]}'; database doesn't exist`
  const near = /near "([^"]*)": syntax error/.exec(text)?.[1]
  if (near !== undefined) {
    return `1064 (42000): You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near '${near}' at line 1`
  }
  return `1105 (HY000): ${text}`
}
