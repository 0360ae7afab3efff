import { readFile } from 'node:fs/promises'
import { connect } from 'node:tls'
import { parse } from 'yaml'
import { HttpApi } from './api-client.ts'

/**
 * Run by neighbours.bench.ts in a process of its own, until it is killed: everything that a cluster can be sent to keep its
 * process busy. Prints a line once it is under way.
 */
const [file = '', socket = ''] = process.argv.slice(2)
const kubeconfig = await readFile(file, 'utf8')
const api = HttpApi.open(kubeconfig, socket)
const configMaps = '/api/v1/namespaces/default/configmaps'
const objects = 10_000
const manyKeys = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`key-${index}`, 'value']))
let made = 0
const failed = (error: unknown) => void (process.env['NOISE_VERBOSE'] && console.error(error))

for (let worker = 0; worker < 40; worker++) void flood()
for (let worker = 0; worker < 4; worker++) void list()
for (let index = 0; index < 100; index++) void mute()
setInterval(() => void mute().then((watch) => watch.destroy()), 20)
setTimeout(() => console.log('under way'), 2_000)

async function flood(): Promise<void> {
  for (;;) {
    const name = `noise-${made++ % objects}`
    const data = made % 50 === 25 ? manyKeys : { text: 'x'.repeat(made % 50 === 0 ? 500_000 : 500) }
    await api.ask('POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }).catch(failed)
    await api.ask('POST', configMaps, ['not', { an: 'object' }]).catch(failed)
    if (made % 50 === 26) await api.ask('POST', configMaps, { data: [manyKeys, manyKeys] }).catch(failed)
    await api
      .ask('PATCH', `${configMaps}/${name}?fieldManager=noise&force=true`, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name },
        data: { turn: `${made}` },
      })
      .catch(failed)
  }
}

async function list(): Promise<void> {
  for (;;) await api.ask('GET', configMaps).catch(failed)
}

/** A watcher that reads nothing. */
async function mute() {
  const { users } = parse(kubeconfig) as { users: { user: Record<string, string> }[] }
  const pem = (name: string) => Buffer.from(users[0]?.user[name] ?? '', 'base64')
  const watch = connect({ path: socket, rejectUnauthorized: false, cert: pem('client-certificate-data'), key: pem('client-key-data') })
  watch.on('error', failed)
  watch.pause()
  watch.write(`GET ${configMaps}?watch=true HTTP/1.1\r\nhost: x\r\n\r\n`)
  return watch
}
