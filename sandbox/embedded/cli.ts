#!/usr/bin/env node
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Cluster } from './cluster.ts'

const usage =
  'usage: npm run cluster -- --kubeconfig FILE [--nodes N [--cni none] [--addons gateway] [--webhooks machine] | --restore SNAPSHOT] [--port P] [--dir D] [--etcd FOLDER]'

/**
 * One bare cluster on this machine's loopback, until it is interrupted. --etcd serves its store as etcd too and leaves
 * etcdctl's credentials (ca.crt, client.crt, client.key) in a folder; --restore begins with what a snapshot of an etcd holds; with --cni none
 * the nodes wait until somebody installs a network plugin (kubectl apply -f kube-flannel.yml); with --addons gateway there are
 * classes for Ingresses and Gateways; with --webhooks machine the hosts of webhooks' urls are this machine's, for a controller that
 * is being worked on.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kubeconfig: { type: 'string' },
      nodes: { type: 'string', default: '1' },
      port: { type: 'string', default: '0' },
      dir: { type: 'string' },
      restore: { type: 'string' },
      etcd: { type: 'string' },
      cni: { type: 'string', default: 'kindnet' },
      addons: { type: 'string' },
      webhooks: { type: 'string' },
    },
  })
  const nodes = Number(values.nodes)
  const port = Number(values.port)
  const { cni, addons, webhooks } = values
  if (
    (cni !== 'kindnet' && cni !== 'none') ||
    (addons !== undefined && addons !== 'gateway') ||
    (webhooks !== undefined && webhooks !== 'machine') ||
    !values.kubeconfig ||
    (values.dir && values.restore) ||
    !Number.isInteger(nodes) ||
    nodes < 1 ||
    !Number.isInteger(port)
  ) {
    console.error(usage)
    process.exitCode = 2
    return
  }
  const report = (where: string, error: unknown) => console.error(`${where}:`, error)
  const cluster = values.restore
    ? await Cluster.fromEtcd(await readFile(values.restore), { report })
    : await Cluster.open({
        nodes,
        cni,
        report,
        ...(addons ? { addons: [addons] } : {}),
        ...(webhooks ? { webhooks } : {}),
        ...(values.dir ? { dir: values.dir } : {}),
      })
  const end = async () => {
    await cluster[Symbol.asyncDispose]()
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end())
  const address = await cluster.listen({ host: '127.0.0.1', port })
  const server = `https://127.0.0.1:${'port' in address ? address.port : port}`
  await writeFile(values.kubeconfig, cluster.kubeconfig({ server }), { mode: 0o600 })
  if (values.etcd) {
    const etcdPort = await cluster.listenEtcd('127.0.0.1:0')
    const { ca, certificate, key } = cluster.etcdCredentials()
    await mkdir(values.etcd, { recursive: true, mode: 0o700 })
    for (const [name, text] of Object.entries({ 'ca.crt': ca, 'client.crt': certificate, 'client.key': key })) {
      await writeFile(join(values.etcd, name), text, { mode: 0o600 })
    }
    console.log(
      `etcd: etcdctl --endpoints 127.0.0.1:${etcdPort} --cacert ${values.etcd}/ca.crt --cert ${values.etcd}/client.crt --key ${values.etcd}/client.key`,
    )
  }
  console.log(`ready: ${server}, kubeconfig ${values.kubeconfig}`)
}

await main()
