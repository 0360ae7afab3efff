import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

function doctor(environment: Record<string, string>): Promise<{ code: number; out: string; error: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(import.meta.dirname, 'doctor.ts')],
      { env: { ...process.env, LC_ALL: 'C', ...environment } },
      (_error, out, error) => resolve({ code: child.exitCode ?? -1, out, error }),
    )
  })
}

test('tells what the machine has and which engines run on it', async () => {
  const { code, out } = await doctor({ ENGINES: 'embedded' })
  expect(code).toBe(0)
  for (const title of ['memory, free / all', 'CPUs', 'disk, free', 'Docker', 'kind']) expect(out).toContain(title)
  expect(out).toMatch(/^embedded\n {2}\+ api$/m)
  expect(out).toMatch(/^ {2}- etcd +The embedded engine has no etcd/m)
})

test('fails when an engine that is asked for cannot run, and says what to do', async () => {
  const { code, out } = await doctor({ ENGINES: 'kind', DOCKER_HOST: 'unix:///nowhere/docker.sock' })
  expect(code).toBe(1)
  expect(out).toMatch(/^kind: cannot run here$/m)
  expect(out).toMatch(/Docker is not installed\. Install|daemon does not run at unix:\/\/\/nowhere\/docker\.sock\. Start it/)
})

test('speaks Chinese where the locale does', async () => {
  const { code, out } = await doctor({ ENGINES: 'kind', DOCKER_HOST: 'unix:///nowhere/docker.sock', LC_ALL: '', LANG: 'zh_CN.UTF-8' })
  expect(code).toBe(1)
  expect(out).toContain('kind：无法在这里运行')
  expect(out).toMatch(/Docker (已经安装，但|没有安装|没有应答)|没有安装 Docker/)
  expect(out).not.toMatch(/cannot run|is not installed|does not run/)
})

test('says which setting cannot be', async () => {
  expect(await doctor({ ENGINES: 'minikube' })).toMatchObject({ code: 2, error: expect.stringContaining('ENGINES cannot be used') })
})
