import { expect, test } from 'vitest'
import type { ExecOptions, ExecResult } from '../engine.ts'
import { partsOf, runScript } from './script.ts'

const script = `#!/bin/bash
# what the toolbox does
kubectl get nodes
#: on worker
ip link add lab0 type bridge
#: on worker2
# nothing to do here
#: on toolbox
echo done
`

test('a script is cut at the lines that name a node, and what says nothing is left out', () => {
  expect(partsOf(script)).toEqual([
    { node: null, text: '#!/bin/bash\n# what the toolbox does\nkubectl get nodes\n' },
    { node: 'worker', text: 'ip link add lab0 type bridge\n' },
    { node: null, text: 'echo done\n' },
  ])
  expect(partsOf('# a comment\n\n')).toEqual([])
})

test('its parts run in order, each on its node, until one fails', async () => {
  const given: [string, ExecOptions | undefined][] = []
  const sandbox = {
    exec: async (argv: readonly string[], options?: ExecOptions): Promise<ExecResult> => {
      given.push([argv.join(' '), options])
      return { exitCode: options?.node ? 2 : 0, stdout: `${options?.node ?? 'toolbox'}\n`, stderr: '' }
    },
  }
  expect(await runScript(sandbox, script, { timeout: 5_000, strict: true })).toEqual({
    exitCode: 2,
    stdout: 'toolbox\nworker\n',
    stderr: '',
  })
  expect(given).toMatchObject([
    ['bash -euo pipefail -s', { stdin: expect.stringContaining('kubectl') }],
    ['bash -euo pipefail -s', { node: 'worker', stdin: 'ip link add lab0 type bridge\n' }],
  ])
})
