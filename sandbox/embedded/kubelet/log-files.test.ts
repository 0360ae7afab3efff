import { expect, test } from 'vitest'
import type { Cluster } from '../cluster.ts'
import { nodeCluster } from './testing/node-cluster.ts'

const node = 'labernetes-control-plane'
const talks = {
  terminationGracePeriodSeconds: 1,
  containers: [
    {
      name: 'talk',
      image: 'busybox:1.36',
      command: ['sh', '-c', 'echo hello; echo trouble >&2; i=0; while true; do sleep 5; echo $((i+=1)); done'],
    },
    { name: 'crash', image: 'busybox:1.36', command: ['sh', '-c', 'echo going; exit 1'] },
  ],
}

test("a node has its containers' logs in files, as kubectl shows them, until their pod is gone", async () => {
  const { cluster, create, pod } = await nodeCluster(1)
  await create('talker', talks)
  await cluster.advance(8_000)
  const { uid } = pod('talker')?.metadata ?? {}
  const folder = `/var/log/pods/default_talker_${uid}`
  expect(await onNode(cluster, `ls ${folder} ${folder}/*; stat -c '%a %U' ${folder}/talk/0.log /var/log/pods`)).toBe(
    `${folder}:\ncrash\ntalk\n\n${folder}/crash:\n0.log\n1.log\n\n${folder}/talk:\n0.log\n640 root\n750 root\n`,
  )
  const id = pod('talker')
    ?.status?.containerStatuses?.find(({ name }) => name === 'talk')
    ?.containerID?.replace('containerd://', '')
  const link = `/var/log/containers/talker_default_talk-${id}.log`
  expect(await onNode(cluster, `readlink ${link}`)).toBe(`${folder}/talk/0.log\n`)
  const text = await onNode(cluster, `cat ${link}`)
  expect(text.replace(/^\S+Z /gm, '')).toBe('stdout F hello\nstderr F trouble\nstdout F 1\n')
  expect(await onNode(cluster, `ls /var/log/containers | grep -c kube-system_kube-apiserver; wc -c < ${link}`)).toBe(`1\n${text.length}\n`)

  await using fork = await cluster.fork()
  await fork.advance(5_000)
  await cluster.advance(1_000)
  expect(await onNode(fork, `cat ${link}`)).toMatch(/stdout F 2\n$/)
  expect(await onNode(cluster, `cat ${link}`)).toBe(text)

  await cluster.request({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/talker' })
  await cluster.advance(10_000)
  expect(await onNode(cluster, 'ls /var/log/pods /var/log/containers | grep -c talker')).toBe('0\n')
})

test('an agent follows the logs of its node by their links, across a cut and a removal', async () => {
  const { cluster, create, pod } = await nodeCluster(1)
  await create('talker', talks)
  await cluster.advance(8_000)
  await create('agent', {
    containers: [
      {
        name: 'tail',
        image: 'busybox:1.36',
        command: ['sh', '-c', 'tail -F /var/log/containers/talker_default_talk-*.log'],
        volumeMounts: [{ name: 'logs', mountPath: '/var/log', readOnly: true }],
      },
    ],
    volumes: [{ name: 'logs', hostPath: { path: '/var/log' } }],
  })
  await cluster.advance(12_000)
  const logs = (name: string, container: string) => shown(cluster, name, container)
  expect((await logs('agent', 'tail')).replace(/^\S+Z /gm, '')).toMatch(
    /^stdout F hello\nstderr F trouble\nstdout F 1\nstdout F 2\nstdout F 3\n/,
  )

  const file = `/var/log/pods/default_talker_${pod('talker')?.metadata.uid}/talk/0.log`
  await onNode(cluster, `: > ${file}`)
  expect(await logs('talker', 'talk')).toBe('')
  await cluster.advance(5_000)
  expect(await logs('talker', 'talk')).toMatch(/^\d\n$/)
  expect(await onNode(cluster, `echo mine >> ${file}; echo $?`)).toContain('Operation not permitted')

  await onNode(cluster, `rm ${file}`)
  expect(await logs('talker', 'talk')).toBe(`failed to try resolving symlinks in path "${file}": lstat ${file}: no such file or directory`)
  await cluster.advance(20_000)
  expect(await logs('talker', 'talk')).toMatch(/^(\d\n)+$/)
  const seen = await logs('agent', 'tail')
  expect(seen).toContain('has been renamed or deleted: No such file or directory\n')
  expect(seen).toMatch(/has been replaced; following end of new file\n(\S+Z stdout F \d\n)+/)
})

async function onNode(cluster: Cluster, command: string): Promise<string> {
  const process = cluster.nodeShell(node, ['bash', '-c', command], { tty: false, stdin: false })
  let text = ''
  process.onOutput((_stream, data) => {
    text += Buffer.from(data).toString()
  })
  await process.exited
  return text
}

async function shown(cluster: Cluster, name: string, container: string): Promise<string> {
  let text = ''
  for await (const piece of await cluster.nodeApi.logs('default', name, { container }, new AbortController().signal))
    text += Buffer.from(piece).toString()
  return text
}
