import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { examineMachine } from './machine.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kind-machine-'))
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

/** A machine whose docker CLI does this. */
async function examineWith(script: string | null, host = ''): Promise<string[]> {
  if (script !== null) await writeFile(join(folder, 'docker'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  vi.stubEnv('PATH', `${folder}:/nowhere`)
  vi.stubEnv('DOCKER_HOST', host)
  const { missing } = await examineMachine()
  for (const { zh } of missing) expect(zh).toMatch(/[\u4e00-\u9fff]/)
  return missing.map(({ en }) => en)
}

const info = (more: object) =>
  `/bin/cat <<'JSON'\n${JSON.stringify({ ServerVersion: '28.0.0', CgroupVersion: '2', OSType: 'linux', ...more })}\nJSON`

const onlyPodman = /podman here.*networks reach each other\. Install Docker Engine/

test('says that podman alone is not enough', async () => {
  await writeFile(join(folder, 'podman'), '#!/bin/sh\n', { mode: 0o755 })
  expect((await examineWith(null))[0]).toMatch(onlyPodman)
})

test.each([
  ['nothing', null, /^Docker is not installed\. Install Docker Engine/],
  [
    'no daemon',
    'echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2; exit 1',
    /its daemon does not run.*systemctl start docker/,
  ],
  ['no permission', 'echo "permission denied while trying to connect to the Docker daemon socket" >&2; exit 1', /usermod -aG docker/],
  ['another fault', 'echo "Error: the moon is full" >&2; exit 1', /^Docker cannot be used: docker info: Error: the moon is full/],
  [
    'podman by the name of docker',
    `/bin/cat <<'JSON'\n{"host":{"networkBackend":"netavark"},"version":{"Version":"4.3.1"}}\nJSON`,
    onlyPodman,
  ],
  ['no server', `/bin/cat <<'JSON'\n{"ServerErrors":["Cannot connect to the Docker daemon"]}\nJSON`, /daemon does not run/],
  ['Windows containers', info({ OSType: 'windows' }), /Switch it to Linux containers/],
  ['rootless on cgroup v1', info({ CgroupVersion: '1', SecurityOptions: ['name=rootless'] }), /Rootless Docker needs cgroup v2/],
  ['rootless without delegation', info({ CgroupDriver: 'none', SecurityOptions: ['name=rootless'] }), /Delegate=yes/],
  ['a small virtual machine', info({ MemTotal: 2 ** 30 }), /Only 1\.0 GiB of memory are free; a kind cluster needs 1\.5 GiB/],
])('says what to do about %s', async (_what, script, sentence) => {
  const missing = await examineWith(script)
  expect(missing[0]).toMatch(sentence)
})

test('names the address at which no daemon answers', async () => {
  const missing = await examineWith('echo "Cannot connect to the Docker daemon" >&2; exit 1', 'tcp://far:2375')
  expect(missing[0]).toContain('does not run at tcp://far:2375')
})

/** What is said on a machine whose limits of inotify are these: in a mount namespace where the files in /proc say so. */
async function examineWithLimits(instances: number, watches: number): Promise<string[]> {
  await writeFile(join(folder, 'docker'), `#!/bin/sh\n${info({})}\n`, { mode: 0o755 })
  await writeFile(join(folder, 'instances'), `${instances}\n`)
  await writeFile(join(folder, 'watches'), `${watches}\n`)
  const look = `import { examineMachine } from '${join(import.meta.dirname, 'machine.ts')}'
    const { missing, warnings } = await examineMachine()
    console.log(JSON.stringify([...missing, ...warnings].filter(({ about }) => about === 'inotify').map(({ en }) => en)))`
  const mount = (limit: string) => `mount --bind ${folder}/${limit} /proc/sys/fs/inotify/max_user_${limit}`
  const script = `${mount('instances')} && ${mount('watches')} && exec "$0" "$@"`
  const { stdout } = await promisify(execFile)(
    'unshare',
    ['-rm', 'sh', '-c', script, process.execPath, '--input-type=module', '-e', look],
    { env: { ...process.env, PATH: `${folder}:${process.env['PATH']}` } },
  )
  return JSON.parse(stdout) as string[]
}

test.runIf(spawnSync('unshare', ['-rm', 'true']).status === 0).each([
  [20, 524_288, ['fs.inotify.max_user_instances is 20; a node takes 27. Run: sysctl fs.inotify.max_user_instances=512']],
  [128, 524_288, ['fs.inotify.max_user_instances is 128, enough for 4 nodes. Run: sysctl fs.inotify.max_user_instances=512']],
  [512, 8_192, ['fs.inotify.max_user_watches is 8192. For many clusters run: sysctl fs.inotify.max_user_watches=524288']],
  [512, 524_288, []],
])('with %d instances and %d watches of inotify says what is too little', async (instances, watches, sentences) => {
  expect(await examineWithLimits(instances, watches)).toEqual(sentences)
})
