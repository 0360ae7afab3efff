import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { applyManifests } from '../manifests.ts'
import { KindCluster } from './cluster.ts'
import type { Docker } from './docker.ts'
import { loadImages } from './images.ts'
import { createWithKind } from './kind.ts'
import { subnetOf } from './network.ts'
import type { ClusterRecord } from './records.ts'

/** What a learner is told while they wait. */
export type Step =
  | 'image'
  | 'network'
  | 'nodes'
  | 'control plane'
  | 'workers'
  | 'pod network'
  | 'images'
  | 'waiting'
  | 'toolbox'
  | 'objects'
  | 'ready'

export interface CreateParts {
  docker: Docker
  kind: string
  record: ClusterRecord
  labels: Readonly<Record<string, string>>
  /** The cluster's own folder. */
  folder: string
  flannel: { image?: string; cniImage?: string }
  /** ms until it has to be ready. */
  timeout: number
  onStep: (step: Step) => void
  signal?: AbortSignal
}

const stepOf = {
  image: 'image',
  nodes: 'nodes',
  configuration: 'control plane',
  'control plane': 'control plane',
  network: 'pod network',
  storage: 'pod network',
  workers: 'workers',
} as const satisfies Record<string, Step>

/** A cluster by `kind create cluster`, ready for use. What a failure leaves is the caller's to remove, by label. */
export async function createCold(parts: CreateParts): Promise<KindCluster> {
  const { docker, record, onStep, signal } = parts
  const { shape, nodes } = record
  const began = performance.now()
  await createWithKind({
    kind: parts.kind,
    docker,
    name: record.name,
    shape,
    nodes,
    network: record.name,
    gateway: subnetOf(record.subnet).gateway,
    labels: parts.labels,
    folder: parts.folder,
    timeout: parts.timeout,
    onStep: (step) => onStep(stepOf[step]),
    ...(signal ? { signal } : {}),
  })
  const cluster = await KindCluster.connect(docker, record)
  try {
    if (shape.images.length > 0) onStep('images')
    await loadImages(docker, cluster.containers, shape.images, signal)
    if (shape.cni === 'flannel') {
      onStep('pod network')
      await installFlannel(parts, cluster)
    }
    onStep('waiting')
    await cluster.untilReady(Math.max(5_000, parts.timeout - (performance.now() - began)), signal)
    await forgetBootstrapToken(cluster)
    return cluster
  } catch (error) {
    cluster[Symbol.dispose]()
    throw error
  }
}

async function installFlannel({ docker, flannel, signal }: CreateParts, cluster: KindCluster): Promise<void> {
  const text = await readFile(join(import.meta.dirname, 'flannel.yaml'), 'utf8')
  const manifests = text.replaceAll(/^( +image: )(\S+)$/gm, (line, indent: string, image: string) => {
    const other = image.includes('flannel-cni-plugin') ? flannel.cniImage : flannel.image
    return other ? `${indent}${other}` : line
  })
  const images = [...new Set([...manifests.matchAll(/^ +image: (\S+)$/gm)].map(([, image]) => image ?? ''))]
  await loadImages(docker, cluster.containers, images, signal)
  await applyManifests((request) => cluster.api.request(request), manifests)
}

/** kind gives every cluster the same token to join with; all have joined. */
async function forgetBootstrapToken({ api }: KindCluster): Promise<void> {
  await api.request({ method: 'DELETE', path: '/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef' })
}
