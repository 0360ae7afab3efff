import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecResult } from '../engine.ts'
import { clusterLabel, type KindCluster } from './cluster.ts'
import type { Docker } from './docker.ts'
import type { NodePlan } from './shape.ts'

/**
 * A cluster that was started once, then emptied of everything that is anybody's: keys, certificates, tokens, Pods, leases,
 * events. Its nodes are stopped containers and images; clusters of the same shape are copied from them in seconds.
 */
export interface Template {
  /** The shape's key. */
  key: string
  /** The cluster it was; its objects carry this name in their label. */
  name: string
  /** Digest of the node image it was made from: another image under the same name makes it stale. */
  imageId: string
  nodes: TemplateNode[]
}

export interface TemplateNode extends NodePlan {
  image: string
  /** Holds what was /var. Clones read the layers of container images from it, in place. */
  volume: string
  /** kind's arguments of `docker run` for it, one a line. */
  argv: string[]
}

const repository = 'labernetes/template'

/** The templates of one engine, a file a shape, under `dir`. */
export class Templates {
  private readonly dir: string

  constructor(dir: string) {
    this.dir = dir
  }

  async all(): Promise<Template[]> {
    const names = await readdir(this.dir).catch(() => [])
    return Promise.all(
      names.filter((name) => name.endsWith('.json')).map(async (name) => JSON.parse(await readFile(join(this.dir, name), 'utf8'))),
    )
  }

  async find(key: string): Promise<Template | null> {
    return readFile(join(this.dir, `${key}.json`), 'utf8').then(
      (text) => JSON.parse(text) as Template,
      () => null,
    )
  }

  async put(template: Template): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 })
    const draft = join(this.dir, `${template.key}.draft`)
    await writeFile(draft, JSON.stringify(template))
    await rename(draft, join(this.dir, `${template.key}.json`))
  }

  async remove(key: string): Promise<void> {
    await rm(join(this.dir, `${key}.json`), { force: true })
  }
}

/**
 * Makes a template of a cluster that nobody has used. The cluster is gone
 * after it. Rejects when a step fails; the rest is the caller's to remove.
 */
export async function makeTemplate(
  cluster: KindCluster,
  options: { key: string; folder: string; labels: Readonly<Record<string, string>>; signal?: AbortSignal },
): Promise<Template> {
  const { docker, record } = cluster
  const [control, ...workers] = record.nodes as [NodePlan, ...NodePlan[]]
  for (const { container } of record.nodes) await must(docker, container, ['systemctl', 'stop', 'kubelet'])
  await forgetNodeStatus(cluster)
  await emptyControlPlane(docker, control.container)
  for (const { container } of [control, ...workers]) {
    await removePods(docker, container)
    await must(docker, container, ['bash', '-euc', scrub(record.shape.cni)])
  }
  await docker.call(['kill', ...cluster.containers])
  const images = await docker.inspect<{ Id: string }>('image', [record.shape.nodeImage])
  const nodes: TemplateNode[] = []
  for (const node of record.nodes) {
    options.signal?.throwIfAborted()
    const image = `${repository}:${node.container}`
    const changes = Object.entries(options.labels).map(([name, value]) => `--change=LABEL ${name}=${value}`)
    await docker.call(['commit', ...changes, node.container, image])
    const argv = (await readFile(join(options.folder, `${node.container}.args`), 'utf8')).trimEnd().split('\n')
    nodes.push({ ...node, image, volume: `${node.container}-var`, argv })
  }
  // their images and volumes stay
  await docker.remove('container', cluster.containers)
  await docker.remove('network', [record.name])
  return { key: options.key, name: record.name, imageId: images[0]?.Id ?? '', nodes }
}

/** Removes what a template is made of; what clones still read stays until the sweep that follows their end. */
export async function removeTemplate(docker: Docker, template: Template): Promise<void> {
  const labels = { [clusterLabel]: template.name }
  await docker.remove('container', await docker.list('container', labels))
  for (const kind of ['image', 'volume'] as const)
    for (const name of await docker.list(kind, labels)) await docker.remove(kind, [name]).catch(whenInUse)
}

/** Nothing for an object that a running container uses; every other failure is passed on. */
export function whenInUse(error: unknown): void {
  if (!/in use|being used|conflict/i.test((error as Error).message)) throw error
}

/** A clone's nodes are not Ready until their own kubelets say so, and their addresses are others. */
async function forgetNodeStatus({ api, record }: KindCluster): Promise<void> {
  for (const { name } of record.nodes) {
    const condition = { type: 'Ready', status: 'Unknown', reason: 'NodeStatusNeverUpdated', message: 'Kubelet never posted node status.' }
    const answer = await api.request({
      method: 'PATCH',
      path: `/api/v1/nodes/${name}/status`,
      body: { status: { conditions: [condition], addresses: [], images: null } },
    })
    if (answer.status !== 200) throw new Error(`The status of ${name} could not be changed (${answer.status})`)
  }
}

/** In etcd: what names or proves somebody, and what would make a new control plane wait for an old one. */
const forgotten = [
  'pods/',
  'leases/',
  'events/',
  'masterleases/',
  'certificatesigningrequests/',
  'configmaps/kube-system/extension-apiserver-authentication',
  'configmaps/kube-public/cluster-info',
  'secrets/',
  'endpointslices/default/kubernetes',
  'services/endpoints/default/kubernetes',
]

async function emptyControlPlane(docker: Docker, container: string): Promise<void> {
  const running = await listCri(docker, container, ['ps'], 'containers')
  const idOf = (name: string) => {
    const id = running.find(({ metadata }) => metadata?.name === name)?.id
    if (!id) throw new Error(`${name} does not run in ${container}`)
    return id
  }
  for (const name of ['kube-controller-manager', 'kube-scheduler', 'kube-apiserver'])
    await must(docker, container, ['crictl', 'stop', idOf(name)])
  await must(docker, container, ['bash', '-euc', forget, idOf('etcd'), ...forgotten.map((key) => `/registry/${key}`)])
  await must(docker, container, ['crictl', 'stop', idOf('etcd')])
}

/** etcdctl of etcd's own container; its first argument is that container, the others are prefixes to delete. */
const forget = `etcdctl() {
  ctr --namespace=k8s.io tasks exec --exec-id "forget-$RANDOM$RANDOM" "$etcd" etcdctl --endpoints=https://127.0.0.1:2379 \\
    --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key "$@" </dev/null
}
etcd=$0
for prefix; do etcdctl del --prefix "$prefix"; done
for key in $(etcdctl get --prefix --keys-only /registry/configmaps/ | tr -d '\\r' | grep '/kube-root-ca.crt$'); do etcdctl del "$key"; done
revision=$(etcdctl get --write-out=json / | grep -o '"revision":[0-9]*' | cut -d: -f2)
etcdctl compact "$revision"
etcdctl defrag`

async function removePods(docker: Docker, container: string): Promise<void> {
  for (const verb of ['stopp', 'rmp'])
    for (const { id } of await listCri(docker, container, ['pods'], 'items')) await must(docker, container, ['crictl', verb, id])
}

async function listCri(
  docker: Docker,
  container: string,
  argv: readonly string[],
  field: 'containers' | 'items',
): Promise<{ id: string; metadata?: { name?: string } }[]> {
  const { stdout } = await must(docker, container, ['crictl', ...argv, '--output', 'json'])
  return (JSON.parse(stdout) as Record<string, { id: string }[] | undefined>)[field] ?? []
}

/** Run in each node, with nothing but systemd left: files that are this node's and nobody else's. */
const scrub = (cni: string) => `systemctl stop containerd
findmnt --raw --noheadings --output TARGET | grep ^/var/lib/kubelet/pods/ | xargs --no-run-if-empty umount
rm -rf /var/lib/kubelet/pods /var/lib/kubelet/pki /var/lib/kubelet/checkpoints /var/lib/kubelet/*_state* /var/lib/kubelet/plugins_registry/* \\
  /var/lib/kubelet/device-plugins/* /var/lib/kubelet/pod-resources/* /var/log/pods /var/log/containers /var/log/journal /var/lib/cni \\
  /etc/kubernetes/pki /etc/kubernetes/*.conf /kind/product_uuid /root/.kube ${cni === 'kindnet' ? '' : '/etc/cni/net.d/*'}
find /var/lib/etcd -name '*.wal' -exec fallocate --dig-holes {} ';' 2>/dev/null || true
! find / -xdev \\( -name '*.key' -o -name '*.pem' \\) -path '*kube*' | grep .
sync`

async function must(docker: Docker, container: string, argv: readonly string[]): Promise<ExecResult> {
  const result = await docker.exec(container, argv, { timeout: 120_000 })
  if (result.exitCode !== 0)
    throw new Error(`${argv[0]} ${argv[1] ?? ''} failed in ${container}: ${`${result.stdout}${result.stderr}`.trim().slice(-300)}`)
  return result
}
