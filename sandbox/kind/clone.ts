import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { controlPlane, KindCluster, serverAddress } from './cluster.ts'
import type { Step } from './create.ts'
import type { Docker } from './docker.ts'
import { subnetOf } from './network.ts'
import { type ClusterSecrets, newClusterSecrets } from './pki.ts'
import type { ClusterRecord, Records } from './records.ts'
import type { NodePlan } from './shape.ts'
import { tarOf } from './tar.ts'
import type { Template, TemplateNode } from './template.ts'

export interface CloneParts {
  docker: Docker
  record: ClusterRecord
  records: Records
  template: Template
  labels: Readonly<Record<string, string>>
  /** ms until it has to be ready. */
  timeout: number
  onStep: (step: Step) => void
  signal?: AbortSignal
}

/**
 * A cluster copied from a template, with authorities, certificates, keys and token key of its own: they are made here, put
 * into the containers before they first start, and nowhere else. What a failure leaves is the caller's to remove, by label.
 */
export async function createClone(parts: CloneParts): Promise<KindCluster> {
  const { docker, record, records, template, onStep, signal } = parts
  onStep('nodes')
  const control = controlPlane(record)
  const secrets = newClusterSecrets(control, serverAddress)
  record.authority = secrets.authority
  await records.put(record)
  const entrypoint = await readFile(join(import.meta.dirname, 'clone.sh'), 'utf8')
  await Promise.all(
    record.nodes.map(async (node, index) => {
      const source = template.nodes[index]
      if (!source) throw new Error('The template has fewer nodes than its shape')
      await docker.call(['create', ...argumentsOf(parts, node, source)], { timeout: 120_000, ...(signal ? { signal } : {}) })
      await docker.call(['cp', '-', `${node.container}:/`], { stdin: filesOf(node, secrets, entrypoint) })
    }),
  )
  signal?.throwIfAborted()
  onStep('control plane')
  await docker.call(['start', ...record.nodes.map(({ container }) => container)], { timeout: 120_000 })
  const cluster = await KindCluster.connect(docker, record)
  try {
    await cluster.untilReady(parts.timeout, signal)
    await publishClusterInfo(cluster)
    return cluster
  } catch (error) {
    cluster[Symbol.dispose]()
    throw error
  }
}

/** kind's own arguments for the template's container, with what is this one's. */
function argumentsOf({ labels, record }: CloneParts, node: NodePlan, source: TemplateNode): string[] {
  const kept: string[] = []
  const given = source.argv.slice(0, -1)
  for (let index = 0; index < given.length; index++) {
    const flag = given[index] as string
    const value = given[index + 1]
    if (flag === '--detach' || flag.startsWith('--publish=')) continue
    if (flag === '--name' || flag === '--net' || flag === '--label') index++
    else if (flag === '--volume' && value === `${source.volume}:/var`) index++
    else kept.push(flag)
  }
  return [
    ...kept,
    `--name=${node.container}`,
    `--network=${record.name}`,
    `--network-alias=${node.name}`,
    `--add-host=host.docker.internal:${subnetOf(record.subnet).gateway}`,
    `--ip=${node.ip}`,
    ...Object.entries(labels).map(([name, value]) => `--label=${name}=${value}`),
    `--mount=type=volume,source=${node.container}-var,target=/var,volume-nocopy`,
    `--mount=type=volume,source=${source.volume},target=/kind/template,readonly`,
    `--env=LABERNETES_ADDRESS=${node.ip}`,
    ...(node.role === 'control-plane' ? ['--publish=127.0.0.1::6443'] : []),
    '--entrypoint=/kind/clone',
    source.image,
    '/sbin/init',
  ]
}

function filesOf(node: NodePlan, secrets: ClusterSecrets, entrypoint: string): Buffer {
  const files = node.role === 'control-plane' ? secrets.controlPlane : secrets.worker(node.name)
  return tarOf([
    ...[...files].map(([path, content]) => ({ path: `etc/kubernetes/${path}`, content, mode: /\.(crt|pub)$/.test(path) ? 0o644 : 0o600 })),
    { path: 'kind/clone', content: entrypoint, mode: 0o755 },
  ])
}

/** What `kubeadm init` publishes for whoever wants to join; it has the authority in it, so the template has none. */
async function publishClusterInfo({ api, record }: KindCluster): Promise<void> {
  const ca = Buffer.from(record.authority?.certificate ?? '').toString('base64')
  const kubeconfig = [
    'apiVersion: v1',
    'clusters:',
    '- cluster:',
    `    certificate-authority-data: ${ca}`,
    `    server: ${serverAddress}`,
    '  name: ""',
    'contexts: null',
    'current-context: ""',
    'kind: Config',
    'preferences: {}',
    'users: null',
    '',
  ].join('\n')
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cluster-info' }, data: { kubeconfig } }
  await api.request({ method: 'POST', path: '/api/v1/namespaces/kube-public/configmaps', body })
}
