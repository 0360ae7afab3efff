import { expect, test } from 'vitest'
import { openPty, outsideEnvironment } from './launch.ts'

test('who listens late gets what a shell wrote before, and how it ended', async () => {
  const ended = Promise.withResolvers<void>()
  const launch = { argv: ['bash', '-c', 'echo early; exit 3'], environment: outsideEnvironment(), cwd: '/' }
  const terminal = openPty(launch, 80, 24, ended.resolve)
  await ended.promise
  const seen: Uint8Array[] = []
  terminal.onData((bytes) => seen.push(bytes))
  expect(Buffer.concat(seen).toString()).toBe('early\r\n')
  terminal.onExit((exit) => expect(exit).toEqual({ exitCode: 3 }))
  await terminal[Symbol.asyncDispose]()
  expect.assertions(2)
})
