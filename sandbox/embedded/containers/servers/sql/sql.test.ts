import { describe, expect, test } from 'vitest'
import type { Container } from '../../runtime.ts'
import { World } from '../../test-world.ts'
import { SqlDatabase, statementsOf } from './database.ts'

const env = (values: Record<string, string>) => Object.entries(values).map(([name, value]) => ({ name, value }))

describe('postgres', () => {
  async function postgres(
    more: Record<string, string> = {},
  ): Promise<{ world: World; container: Container; psql: (...args: string[]) => ReturnType<World['exec']> }> {
    const world = new World()
    const container = await world.run({ image: 'postgres:17', env: env({ POSTGRES_PASSWORD: 'secret', ...more }) })
    await world.clock.advance(3000)
    return { world, container, psql: (...args) => world.exec(container, ['env', 'PGPASSWORD=secret', 'psql', '-U', 'postgres', ...args]) }
  }

  test('keeps tables and answers as psql prints it', async () => {
    const { psql } = await postgres()
    expect((await psql('-c', 'CREATE TABLE t (id serial primary key, name text not null)')).stdout).toBe('CREATE TABLE\n')
    expect((await psql('-c', "INSERT INTO t (name) VALUES ('one'), ('three; really')")).stdout).toBe('INSERT 0 2\n')
    expect((await psql('-c', 'SELECT * FROM t ORDER BY id')).stdout).toBe(
      ' id |     name      \n----+---------------\n  1 | one\n  2 | three; really\n(2 rows)\n\n',
    )
    expect((await psql('-tAc', 'SELECT count(*) FROM t')).stdout).toBe('2\n')
    expect((await psql('-c', 'SELECT * FROM nowhere')).stderr).toBe(
      'ERROR:  relation "nowhere" does not exist\nLINE 1: SELECT * FROM nowhere\n                      ^\n',
    )
    expect((await psql('-c', '\\dt')).stdout).toContain(' public | t    | table | postgres\n')
    const piped = await psql('-tA')
    expect(piped.code).toBe(0)
  })

  test('has databases of their own, and its rows come back with its folder', async () => {
    const { world, container, psql } = await postgres({ POSTGRES_DB: 'shop' })
    await psql('-d', 'shop', '-c', 'CREATE TABLE t (n int); INSERT INTO t VALUES (41), (1)')
    expect((await psql('-d', 'shop', '-tAc', 'SELECT sum(n) FROM t')).stdout).toBe('42\n')
    expect((await psql('-c', 'SELECT * FROM t')).stderr).toContain('relation "t" does not exist')
    expect((await psql('-d', 'none', '-c', 'SELECT 1')).stderr).toContain('FATAL:  database "none" does not exist')
    const files = await world.exec(container, ['sh', '-c', 'cat $PGDATA/base/shop.db | wc -l'])
    expect(files.stdout.trim()).toBe('2')
    container.signal('SIGTERM')
    await world.clock.advance(2000)
    expect(container.state).toBe('exited')
  })

  test('does not open without a password, and refuses who brings a wrong one', async () => {
    const world = new World()
    const bare = await world.run({ image: 'postgres:17' })
    await world.clock.advance(100)
    expect([bare.state, world.text(bare).includes('superuser password is not specified')]).toEqual(['exited', true])
    const { world: other, container } = await postgres()
    const from = (password: string) => other.exec(container, ['sh', '-c', `PGPASSWORD=${password} psql -h db -U postgres -tAc 'select 1'`])
    expect((await from('secret')).stdout).toBe('1\n')
    expect((await from('wrong')).stderr).toContain('FATAL:  password authentication failed for user "postgres"')
  })
})

test('mysql answers with tabs, or in boxes, and knows its databases', async () => {
  const world = new World()
  const container = await world.run({
    image: 'mysql:8.4',
    memoryLimit: 1024 ** 3,
    env: env({ MYSQL_ROOT_PASSWORD: 'secret', MYSQL_DATABASE: 'shop' }),
  })
  await world.clock.advance(9000)
  const mysql = (...args: string[]) => world.exec(container, ['mysql', '-uroot', '-psecret', ...args])
  const made = await mysql(
    'shop',
    '-e',
    'CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20)); INSERT INTO t (name) VALUES ("a"), ("b")',
  )
  expect([made.code, made.stderr]).toEqual([0, 'mysql: [Warning] Using a password on the command line interface can be insecure.\n'])
  expect((await mysql('shop', '-e', 'SELECT * FROM t')).stdout).toBe('id\tname\n1\ta\n2\tb\n')
  expect((await mysql('shop', '-t', '-e', 'SHOW TABLES')).stdout).toBe(
    '+----------------+\n| Tables_in_shop |\n+----------------+\n| t              |\n+----------------+\n1 row in set (0.00 sec)\n\n',
  )
  expect((await mysql('-N', '-e', 'SHOW DATABASES')).stdout).toBe('information_schema\nmysql\nshop\n')
  expect((await mysql('shop', '-e', 'SELECT * FROM x')).stderr).toContain("ERROR 1146 (42S02) at line 1: Table 'shop.x' doesn't exist\n")
  const denied = await world.exec(container, ['mysql', '-uroot', '-pwrong', '-e', 'SELECT 1'])
  expect(denied.stderr).toContain("ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)\n")
})

test('a statement reaches nothing outside, and none takes for ever', () => {
  using database = new SqlDatabase('postgres', { name: 'x', version: '1', user: 'postgres' })
  const refused = (sql: string) => expect(() => database.run(sql, 0), sql).toThrow()
  refused("ATTACH DATABASE '/tmp/outside' AS y")
  refused("VACUUM INTO '/tmp/outside'")
  refused('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT * FROM c')
  refused('SELECT randomblob(1000000000)')
  refused('PRAGMA journal_mode')
  database.run('CREATE TABLE t (n int)', 0)
  database.run(`INSERT INTO t VALUES ${Array.from({ length: 500 }, (_, index) => `(${index})`).join(', ')}`, 0)
  expect(database.run('SELECT count(*) FROM t a, t b', 0).rows).toEqual([[250_000]])
  refused('SELECT count(*) FROM t a, t b, t c')
  expect(statementsOf("select ';' -- no; \n; select 2;")).toEqual(["select ';'", 'select 2'])
})
