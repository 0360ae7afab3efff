import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { parse } from 'yaml'
import { prepareTools, type Tools } from '../../../terminal/tools.ts'
import { Cluster } from '../../cluster.ts'

let cluster: Cluster
let folder: string
let tools: Tools
let server: string
let user: { cert: Buffer; key: Buffer; ca: Buffer }
/** kubectl as it was before 1.31, and as client libraries speak: SPDY alone. */
let environment: NodeJS.ProcessEnv

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'streaming-'))
  cluster = await Cluster.open({ nodes: 1 })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  server = `https://127.0.0.1:${'port' in address ? address.port : ''}`
  const kubeconfig = cluster.kubeconfig({ server })
  await writeFile(join(folder, 'config'), kubeconfig)
  const config = parse(kubeconfig) as {
    clusters: [{ cluster: { 'certificate-authority-data': string } }]
    users: [{ user: { 'client-certificate-data': string; 'client-key-data': string } }]
  }
  const bytes = (text: string) => Buffer.from(text, 'base64')
  user = {
    cert: bytes(config.users[0].user['client-certificate-data']),
    key: bytes(config.users[0].user['client-key-data']),
    ca: bytes(config.clusters[0].cluster['certificate-authority-data']),
  }
  tools = await prepareTools(join(import.meta.dirname, '../../../../.cache'), '1.34')
  environment = {
    ...process.env,
    HOME: folder,
    KUBECONFIG: join(folder, 'config'),
    KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false',
    KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false',
  }
  await kubectl(['run', 'app', '--image=labapp:v1'])
  await kubectl(['wait', 'pod/app', '--for=condition=Ready', '--timeout=60s'])
})
afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

function kubectl(args: string[], input?: string): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(tools.kubectl, args, { env: environment, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    )
    child.stdin?.end(input ?? '')
  })
}

describe('SPDY', () => {
  test('exec has both outputs, the exit code and stdin with its end', async () => {
    expect(await kubectl(['exec', 'app', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'])).toEqual({
      code: 7,
      stdout: 'out\n',
      stderr: expect.stringContaining('err\n'),
    })
    expect(await kubectl(['exec', '-i', 'app', '--', 'cat'], 'one\ntwo\n')).toEqual({ code: 0, stdout: 'one\ntwo\n', stderr: '' })
    expect((await kubectl(['exec', 'app', '--', 'nosuch'])).stderr).toContain('executable file not found in $PATH')
  })

  test('a port is forwarded', async () => {
    const forward = spawn(tools.kubectl, ['port-forward', 'pod/app', ':8080'], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const line = await new Promise<string>((resolve) => forward.stdout.once('data', (data) => resolve(String(data))))
      const port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1]
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('labapp v1 on app\n')
    } finally {
      forward.kill('SIGKILL')
    }
  })
})

describe('WebSocket', () => {
  test.each([
    ['channel.k8s.io', (data: Buffer) => [data[0], data.subarray(1).toString()]],
    ['base64.channel.k8s.io', (data: Buffer) => [(data[0] ?? 0) - 48, Buffer.from(data.subarray(1).toString(), 'base64').toString()]],
  ])('%s carries a command, and no status where it went well', async (protocol, read) => {
    const messages = await speak('exec?container=app&stdout=1&stderr=1&command=echo&command=hello', protocol)
    expect(messages.map(read).filter(([, text]) => text !== '')).toEqual([[1, 'hello\n']])
  })

  test('logs come as messages', async () => {
    const messages = await speak('log?container=app', 'binary.k8s.io')
    expect(Buffer.concat(messages).toString()).toContain('listening on :8080')
  })
})

/** Every message until the server closes. */
function speak(path: string, protocol: string): Promise<Buffer[]> {
  const socket = new WebSocket(`${server.replace('https', 'wss')}/api/v1/namespaces/default/pods/app/${path}`, protocol, user)
  const messages: Buffer[] = []
  return new Promise((resolve, reject) => {
    socket.on('message', (data: Buffer) => messages.push(data))
    socket.on('error', reject)
    socket.on('close', () => resolve(messages))
  })
}
