import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { ConfigError, publicUrlOf, readConfig, settings } from './config.ts'

it('has a value for every setting that needs one', () => {
  expect(readConfig({})).toMatchObject({ PORT: 3000, HOST: '127.0.0.1', DATA_DIR: '.data', LOG_LEVEL: 'info', GUESTS: 'loopback' })
  expect(readConfig({ PORT: '', DATABASE_URL: '' })).toMatchObject({ PORT: 3000 })
})

it.each([
  ['PORT', 'eighty'],
  ['PORT', '70000'],
  ['DATABASE_URL', 'mysql://root:hunter2@localhost/x'],
  ['PUBLIC_URL', 'labernetes.example.org'],
  ['GUESTS', 'everybody'],
  ['SECRET', 'hunter2'],
  ['SANDBOX_LIMIT', '0'],
])('says that %s=%s cannot be, without repeating it', (name, value) => {
  const refused = expect(() => readConfig({ [name]: value }))
  refused.toThrow(ConfigError)
  refused.toThrow(`${name} cannot be used: `)
  expect(() => readConfig({ [name]: value })).not.toThrow(value)
})

it('says all that is wrong at once', () => {
  expect(() => readConfig({ PORT: '-1', LOG_LEVEL: 'loud' })).toThrow(/PORT .*\nLOG_LEVEL /)
})

it('knows where people reach the site', () => {
  expect(publicUrlOf(readConfig({}), 3000)).toBe('http://127.0.0.1:3000')
  expect(publicUrlOf(readConfig({ HOST: '::1' }), 3000)).toBe('http://[::1]:3000')
  expect(publicUrlOf(readConfig({ PUBLIC_URL: 'https://learn.example.org/' }), 3000)).toBe('https://learn.example.org')
})

it('is documented in README, setting by setting', async () => {
  const readme = await readFile(path.join(import.meta.dirname, '../README.md'), 'utf8')
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1])
  expect(rows.sort()).toEqual(Object.keys(settings).sort())
})
