import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Capability, ExecOptions, ExecResult, Sandbox } from '../engine.ts'
import { type Lab, loadLabs, runStartScript } from './labs.ts'

test('a start script runs in the toolbox, and what it said is why the lab did not start', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'start-'))
  const startScript = join(folder, 'start.sh')
  await writeFile(startScript, 'helm install shop ./web\n')
  const lab = { definition: { slug: 'probe', needs: [] as readonly Capability[] }, startScript } as Lab
  const given: { argv: readonly string[]; options: ExecOptions | undefined }[] = []
  const toolbox = (result: ExecResult) =>
    ({
      exec: async (argv, options) => {
        given.push({ argv, options })
        return result
      },
    }) as Pick<Sandbox, 'exec'> as Sandbox
  await runStartScript(lab, toolbox({ exitCode: 0, stdout: '', stderr: '' }))
  expect(given).toMatchObject([{ options: { stdin: 'helm install shop ./web\n' } }])
  const failing = runStartScript(lab, toolbox({ exitCode: 1, stdout: 'half way\n', stderr: 'Error: no chart\n' }))
  await expect(failing).rejects.toThrow('start.sh of probe ended with 1: half way\nError: no chart')
  await runStartScript({ ...lab, startScript: null }, toolbox({ exitCode: 1, stdout: '', stderr: '' }))
  expect(given).toHaveLength(2)
  await rm(folder, { recursive: true, force: true })
})

test('a lab is loaded with everything its folder holds', async () => {
  const lab = (await loadLabs(join(import.meta.dirname, '../../labs'))).get('drift-repair')
  expect(lab).toMatchObject({ startScript: expect.stringMatching(/start\.sh$/), homeFiles: expect.stringMatching(/home$/), manifests: '' })
  expect(lab?.digest).toMatch(/^sha256:/)
})
