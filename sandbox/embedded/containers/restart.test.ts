import { expect, test } from 'vitest'
import type { Container } from './runtime.ts'
import { World } from './test-world.ts'

/** Runs a script as PID 1, stops the platform after so many ms, and brings it back. */
async function interrupted(script: string, ms: number): Promise<{ world: World; back: Container; log: () => string }> {
  const first = new World()
  const container = await first.run({ command: ['sh', '-c', script] })
  await first.clock.advance(ms)
  expect(container.state).toBe('running')
  first.runtime.checkpoint()
  const world = new World({ records: first.entries, start: first.clock.now() })
  const [back] = world.runtime.restored() as [Container]
  await world.clock.advance(0)
  return { world, back, log: () => world.text(back) }
}

test('a script goes on at the statement where it stood, with the rest of its sleep', async () => {
  const { world, back } = await interrupted('touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600', 20_000)
  await world.clock.advance(9000)
  expect(back.readFile('/tmp/healthy')).toBeDefined()
  await world.clock.advance(2000)
  expect(back.readFile('/tmp/healthy')).toBeUndefined()
  await world.clock.advance(598_000)
  expect(back.state).toBe('running')
  await world.clock.advance(2000)
  expect(back.exit).toMatchObject({ exitCode: 0 })
  expect(world.reported).toEqual([])
})

test('what replaced the shell sleeps on as well', async () => {
  const { world, back } = await interrupted('echo once; sleep 60', 50_000)
  await world.clock.advance(9000)
  expect(back.state).toBe('running')
  await world.clock.advance(2000)
  expect(back.exit).toMatchObject({ exitCode: 0 })
})

test('its variables, functions, traps and directory are as they were', async () => {
  const script =
    'say() { echo "$1 $count in $PWD"; }\ntrap "say trapped; exit 5" TERM\ncount=1; count=$((count + 1)); mkdir /work; cd /work; sleep 10; say resumed; sleep 100; echo end'
  const { world, back, log } = await interrupted(script, 5000)
  await world.clock.advance(6000)
  expect(log()).toBe('resumed 2 in /work\n')
  back.signal('SIGTERM')
  await world.clock.advance(100_000)
  expect(log()).toBe('resumed 2 in /work\ntrapped 2 in /work\n')
  expect(back.exit).toMatchObject({ exitCode: 5 })
})

test('a loop begins again with its body, its variables kept', async () => {
  const { world, log } = await interrupted('n=0; while true; do n=$((n + 1)); echo $n; sleep 10; done', 25_000)
  expect(log()).toMatch(/^1\n2\n3\n/)
  await world.clock.advance(60_000)
  const counted = log().trim().split('\n').map(Number)
  expect(counted.every((value, index) => index === 0 || value === (counted[index - 1] as number) + 1)).toBe(true)
})

test('what runs in the background runs again, what has ended does not', async () => {
  const { world, log } = await interrupted('(echo short) & (while :; do echo beat; sleep 4; done) & sleep 20; echo after; wait', 10_000)
  const before = log()
  expect(before.match(/short/g)).toHaveLength(1)
  await world.clock.advance(11_000)
  expect(log().match(/short/g)).toHaveLength(1)
  expect(log().slice(before.length)).toContain('beat')
  expect(log()).toContain('after')
})

test('a script whose programs went into the background by themselves begins again', async () => {
  const { world, back, log } = await interrupted('echo start; httpd -p 8080 -h /etc; sleep 100', 10_000)
  await world.clock.advance(1000)
  expect(log()).toBe('start\nstart\n')
  expect((await world.exec(back, ['wget', '-qO-', 'http://127.0.0.1:8080/hostname'])).stdout).toBe(`${back.spec.hostname}\n`)
})

test('what somebody left running by exec does not set the main program back', async () => {
  const first = new World()
  const container = await first.run({ image: 'labapp', env: [{ name: 'BOOT_S', value: '5' }] })
  await first.clock.advance(6000)
  await first.exec(container, ['sh', '-c', 'sleep 1000 & echo'])
  first.runtime.checkpoint()
  const second = new World({ records: first.entries, start: first.clock.now() })
  const [back] = second.runtime.restored() as [Container]
  await second.clock.advance(10)
  expect((await second.exec(back, ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', 'http://127.0.0.1:8080/ready'])).stdout).toBe(
    '200',
  )
})
