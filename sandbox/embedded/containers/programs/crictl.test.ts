import { expect, test } from 'vitest'
import { nodeCluster } from '../../kubelet/testing/node-cluster.ts'

const worker = 'labernetes-worker'

test('crictl lists, inspects, reads and ends what runs on its node and nothing else', async () => {
  const { cluster, shell, create, pod } = await nodeCluster(2)
  await create('web', { nodeName: worker })
  await cluster.advance(20_000)
  const id = pod('web')?.status?.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? ''
  const list = (await shell(worker, 'crictl ps --name "^c$"')).text.split('\n')
  expect(list[0]).toBe(
    'CONTAINER           IMAGE               CREATED             STATE               NAME                ATTEMPT             POD ID              POD                 NAMESPACE',
  )
  expect(list[1]?.split(/ {2,}/)).toEqual([
    id.slice(0, 13),
    expect.stringMatching(/^[0-9a-f]{13}$/),
    expect.stringMatching(/^\d+ seconds ago$/),
    'Running',
    'c',
    '0',
    expect.stringMatching(/^[0-9a-f]{13}$/),
    'web',
    'default',
  ])
  expect((await shell('labernetes-control-plane', 'crictl ps -q --name "^c$"')).text).toBe('')
  expect((await shell(worker, 'crictl pods --name web -q | cut -c1-13')).text).toBe(`${list[1]?.split(/ {2,}/)[6]}\n`)
  const inspected = JSON.parse((await shell(worker, `crictl inspect ${id.slice(0, 8)}`)).text) as {
    status: { id: string; state: string }
    info: { pid: number }
  }
  expect(inspected).toMatchObject({ status: { id, state: 'CONTAINER_RUNNING' } })
  expect((await shell(worker, `crictl logs --tail 1 ${id}`)).text).toContain('start worker process')
  expect(await shell(worker, `crictl exec ${id} sh -c 'echo hello; exit 3'`)).toEqual({
    text: 'hello\nFATA[0000] execing command in container: command terminated with exit code 3\n',
    code: 1,
  })
  expect((await shell(worker, 'crictl images | grep -c nginx')).text).toBe('1\n')
  expect((await shell('labernetes-control-plane', 'crictl images | grep -c nginx')).text).toBe('0\n')

  expect((await shell(worker, `crictl stop ${id.slice(0, 8)}`)).text).toBe(`${id.slice(0, 8)}\n`)
  await cluster.advance(5000)
  expect(pod('web')?.status?.containerStatuses?.[0]).toMatchObject({
    restartCount: 1,
    state: { running: {} },
    lastState: { terminated: { exitCode: 137 } },
  })
  expect((await shell(worker, `crictl rm ${id}; crictl logs ${id}`)).text).toContain(
    `FATA[0000] rpc error: code = NotFound desc = an error occurred when try to find container "${id}": not found`,
  )
  expect((await shell(worker, 'crictl ps -o json | head -2')).text).toBe('{\n  "containers": [\n')
  expect(await shell(worker, 'systemctl stop containerd; crictl ps')).toMatchObject({
    code: 1,
    text: expect.stringContaining('validate service connection'),
  })
})
