import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { create, type EmbeddedCluster } from '../index.ts'

const run = promisify(execFile)
const cache = join(import.meta.dirname, '../../../.cache')
const python = await preparePython()

/** The Python client's whole surface: what python/client.py sees, part by part, as it sees it at a real cluster too. */
describe.skipIf(python.missing)(`the Python client${python.missing ? ` (skipped: ${python.missing})` : ''}`, () => {
  let cluster: EmbeddedCluster
  let folder: string
  let seen: Record<string, unknown>

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'python-client-'))
    cluster = await create()
    const kubeconfig = join(folder, 'kubeconfig')
    await writeFile(kubeconfig, cluster.kubeconfig())
    const script = join(import.meta.dirname, 'python/client.py')
    const { stdout } = await run(python.program, [script, kubeconfig], { timeout: 280_000, env: { ...process.env, no_proxy: '127.0.0.1' } })
    seen = JSON.parse(stdout) as Record<string, unknown>
  }, 300_000)
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const told = [
    [404, 'Not Found', 'NotFound', 'pods "nowhere" not found', []],
    [409, 'Conflict', 'AlreadyExists', 'namespaces "python" already exists', []],
    [
      422,
      'Unprocessable Entity',
      'Invalid',
      'Service "-" is invalid',
      [
        ['metadata.name', 'FieldValueInvalid'],
        ['spec.ports[0].port', 'FieldValueInvalid'],
        ['spec.ports[0].targetPort', 'FieldValueInvalid'],
      ],
    ],
    [422, 'Unprocessable Entity', 'Invalid', 'the server rejected our request due to an error in our request', []],
  ]
  const step = (type: string, value: string) => [type, value]
  test.each<[what: string, part: string, expected: unknown]>([
    ['creates, replaces, lists and deletes', 'crud', { newer: true, listed: [{ k: '2' }], deleted: 'Success' }],
    ['reads a list in pages', 'pages', [2, 2, 1]],
    ['is told why something is refused', 'errors', told],
    ['patches in all ways', 'patches', { strategic: ['side', 'web'], merge: ['web'], json: 2, scale: 3 }],
    ['watches from a version', 'watching', [step('ADDED', '0'), step('MODIFIED', '1'), step('DELETED', '1')]],
    ['applies, conflicts and forces', 'applying', { conflict: true, managers: ['second'], data: { colour: 'green' } }],
    [
      'defines a kind and works with its objects',
      'customs',
      {
        spec: { size: 2, note: 'none' },
        status: [{ seen: 1 }, 2],
        refused:
          'Crate.py.example.com "one" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
        found: ['one'],
      },
    ],
    [
      'runs commands, reads logs and forwards a port',
      'streams',
      { plain: 'hello\n', session: ['got this\n', 'oops\n', 4], log: 'started\n', forwarded: true, error: null },
    ],
    [
      'elects a leader, and another when it ends',
      'election',
      { leaders: ['first', 'first stopped', 'second'], holders: ['first', 'second'] },
    ],
  ])('%s', (_what, part, expected) => expect(seen[part]).toEqual(expected))
})

/** A Python with the client in a folder of its own, made once; or why there is none. */
async function preparePython(): Promise<{ program: string; missing?: string }> {
  const requirements = join(import.meta.dirname, 'python/requirements.txt')
  const digest = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
  const folder = join(cache, `python-${digest.slice(0, 12)}`)
  const program = join(folder, 'bin/python')
  const done = join(folder, 'complete')
  if (existsSync(done)) return { program }
  try {
    await mkdir(cache, { recursive: true })
    await rm(folder, { recursive: true, force: true })
    await run('python3', ['-m', 'venv', folder], { timeout: 60_000 })
    const pip = ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', '--requirement', requirements]
    await run(program, pip, { timeout: 240_000 })
    await writeFile(`${done}.draft`, '')
    await rename(`${done}.draft`, done)
    return { program }
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    const why = (stderr || message).trim().split('\n').at(-1)
    return { program, missing: `no Python with the client of PyPI: ${why}` }
  }
}
