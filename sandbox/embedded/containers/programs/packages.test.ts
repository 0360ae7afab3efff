import { expect, test } from 'vitest'
import { World } from '../test-world.ts'

async function said(image: string, command: string): Promise<{ text: string; code: number | undefined }> {
  const world = new World()
  const container = await world.run({ image, command: ['sh', '-c', command] })
  for (let step = 0; !container.exit && step < 200; step++) await world.clock.advance(500)
  return { text: world.text(container), code: container.exit?.exitCode }
}

const main = 'https://dl-cdn.alpinelinux.org/alpine/v3.20/main'
const community = 'https://dl-cdn.alpinelinux.org/alpine/v3.20/community'

test("Alpine's package manager finds no server, and says of a package that there is none", async () => {
  expect(await said('alpine:3.20', 'apk add --no-cache curl tcpdump')).toEqual({
    code: 2,
    text: `fetch ${main}/x86_64/APKINDEX.tar.gz
WARNING: updating and opening ${main}: temporary error (try again later)
fetch ${community}/x86_64/APKINDEX.tar.gz
WARNING: updating and opening ${community}: temporary error (try again later)
ERROR: unable to select packages:
  curl (no such package):
    required by: world[curl]
  tcpdump (no such package):
    required by: world[tcpdump]
`,
  })
  expect((await said('alpine:3.20', 'apk update')).text).toMatch(/\n2 unavailable, 0 stale; 14 distinct packages available\n$/)
  expect(await said('busybox:1.36', 'apk add curl')).toEqual({ code: 127, text: 'sh: apk: not found\n' })
})

test("Debian's leaves the lists as they are, and then knows no package", async () => {
  const updated = await said('nginx:1.27', 'apt-get update')
  expect(updated.code).toBe(0)
  expect(updated.text).toContain("Err:1 http://deb.debian.org/debian bookworm InRelease\n  Temporary failure resolving 'deb.debian.org'\n")
  expect(updated.text).toContain('W: Some index files failed to download. They have been ignored, or old ones used instead.\n')
  const installed = await said('debian:12', 'apt-get install -y tcpdumpx')
  expect(installed).toEqual({
    code: 100,
    text: 'Reading package lists...\nBuilding dependency tree...\nReading state information...\nE: Unable to locate package tcpdumpx\n',
  })
  expect((await said('debian:12', 'apt-get install -y bash')).code).toBe(0)
})

test('pip tries five times, and names what it did not find', async () => {
  for (const command of ['pip install flask==3', 'python3 -m pip install flask==3']) {
    const { text, code } = await said('python:3.13', command)
    expect(code).toBe(1)
    expect(text.match(/^WARNING: Retrying \(Retry\(total=\d/gm)).toHaveLength(5)
    expect(text).toMatch(/\[Errno -3\] Temporary failure in name resolution'\)': \/simple\/flask\/\n/)
    expect(text).toMatch(/\nERROR: No matching distribution found for flask==3\n$/)
  }
})

test('what runs for real only elsewhere says where', async () => {
  expect((await said('python:3.13', 'python3 -c "print(1)"')).text).toContain('the kind engine runs Python itself')
  expect(await said('node:24', 'node -e "console.log(1)"')).toMatchObject({
    code: 1,
    text: expect.stringContaining('the kind engine runs Node.js itself'),
  })
})
