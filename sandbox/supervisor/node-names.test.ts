import { expect, test } from 'vitest'
import { nameNodes } from './node-names.ts'

test('nodes learn the names that are the same on every engine', async () => {
  const told: Record<string, string | undefined> = {}
  await nameNodes({
    nodes: async () => ['lab-7f3a-control-plane', 'lab-7f3a-worker', 'lab-7f3a-worker2'],
    exec: async (argv, options = {}) => {
      if (argv[0] === 'sh') told[options.node ?? ''] = options.stdin
      const last = { 'lab-7f3a-control-plane': 2, 'lab-7f3a-worker': 3, 'lab-7f3a-worker2': 4 }[options.node ?? '']
      return { exitCode: 0, stdout: `2: eth0    inet 172.18.0.${last}/16 brd 172.18.255.255 scope global eth0\n`, stderr: '' }
    },
  })
  const lines = '172.18.0.2 control-plane\n172.18.0.3 worker\n172.18.0.4 worker2\n'
  expect(told).toEqual({ 'lab-7f3a-control-plane': lines, 'lab-7f3a-worker': lines, 'lab-7f3a-worker2': lines })
})
