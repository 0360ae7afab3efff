import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { download } from './tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'tools-test-'))
const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`
const published = new Map<string, Uint8Array>()
let server: Server
let releases: { kubectl: string; helm: string }

beforeAll(async () => {
  mkdirSync(join(folder, platform))
  writeFileSync(join(folder, platform, 'helm'), 'the helm binary')
  execFileSync('tar', ['-czf', 'helm.tar.gz', `${platform}/helm`], { cwd: folder })
  const helm = readFileSync(join(folder, 'helm.tar.gz'))
  const kubectl = Buffer.from('the kubectl binary')
  const sum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
  const kubectlPath = `/v1.35.2/bin/${platform.replace('-', '/')}/kubectl`
  published.set(kubectlPath, kubectl).set(`${kubectlPath}.sha256`, Buffer.from(sum(kubectl)))
  published
    .set(`/helm-v4.1.4-${platform}.tar.gz`, helm)
    .set(`/helm-v4.1.4-${platform}.tar.gz.sha256sum`, Buffer.from(`${sum(helm)}  helm.tar.gz\n`))
  server = createServer((request, response) => {
    const bytes = published.get(request.url ?? '')
    response.writeHead(bytes ? 200 : 404).end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  releases = { kubectl: address, helm: address }
})

afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

test('takes the released binaries whose checksums are right', async () => {
  expect(Buffer.from(await download('kubectl', 'v1.35.2', releases)).toString()).toBe('the kubectl binary')
  expect(Buffer.from(await download('helm', 'v4.1.4', releases)).toString()).toBe('the helm binary')
})

test('refuses a binary that is not the published one, and says what to do', async () => {
  const path = [...published.keys()].find((one) => one.endsWith('/kubectl')) as string
  published.set(path, Buffer.from('something else'))
  await expect(download('kubectl', 'v1.35.2', releases)).rejects.toThrow(
    /its checksum is not the published one\. Put kubectl \(1\.34 to 1\.36\) into PATH/,
  )
})

test('says so when a release cannot be had', async () => {
  await expect(download('helm', 'v0.0.0', releases)).rejects.toThrow(
    'helm could not be downloaded (404). Put Helm 4 into PATH and start again.',
  )
})
