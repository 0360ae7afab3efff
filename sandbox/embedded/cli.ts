import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Cluster } from './cluster.ts'

const usage = `usage: labernetes-cluster --kubeconfig FILE [options]

  --kubeconfig FILE    written once the cluster is ready: for kubectl --kubeconfig FILE
  --nodes N            how many, the first being the control plane (1)
  --port P             of the API server on 127.0.0.1 (a free one)
  --dir D              keeps the cluster's state in a folder, and takes it up from there again
  --restore SNAPSHOT   begins with what a snapshot of an etcd holds
  --etcd FOLDER        serves the store as etcd too, with etcdctl's credentials in the folder
  --cni none           nodes wait for a network plugin of yours
  --addons gateway     classes for Ingresses and Gateways
  --webhooks machine   hosts in webhooks' urls are this machine's`

const options = {
  help: { type: 'boolean', short: 'h' },
  kubeconfig: { type: 'string' },
  nodes: { type: 'string', default: '1' },
  port: { type: 'string', default: '0' },
  dir: { type: 'string' },
  restore: { type: 'string' },
  etcd: { type: 'string' },
  cni: { type: 'string', default: 'kindnet' },
  addons: { type: 'string' },
  webhooks: { type: 'string' },
} as const

/**
 * One bare cluster on this machine's loopback, until it is interrupted. --etcd serves its store as etcd too and leaves
 * etcdctl's credentials (ca.crt, client.crt, client.key) in a folder; --restore begins with what a snapshot of an etcd holds;
 * with --cni none the nodes wait until somebody installs a network plugin (kubectl apply -f kube-flannel.yml); with --addons
 * gateway there are classes for Ingresses and Gateways; with --webhooks machine the hosts of webhooks' urls are this machine's,
 * for a controller that is being worked on.
 */
async function main(): Promise<void> {
  const values = optionsOf()
  if (values?.help) {
    console.log(usage)
    return
  }
  const nodes = Number(values?.nodes)
  const port = Number(values?.port)
  const { cni, addons, webhooks } = values ?? {}
  if (
    !values ||
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

/** Undefined for what is no option; that is said. */
function optionsOf() {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    if (!(error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))) throw error
    console.error(error.message)
    return undefined
  }
}

await main()
