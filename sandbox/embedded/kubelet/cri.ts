import type { ContainerRuntime } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Cri, CriContainer, CriPod } from '../node/host.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import type { PodRecord, PodRecords } from './pod-record.ts'
import { qosClassOf } from './qos.ts'
import { sandboxId } from './sandbox.ts'

/** The images that a node of kind comes with. */
const preloaded = [
  'docker.io/kindest/kindnetd:v20260820-69b56db7',
  'docker.io/kindest/local-path-provisioner:v20260820-69b56db7',
  'registry.k8s.io/coredns/coredns:v1.12.1',
  'registry.k8s.io/etcd:3.6.5-0',
  'registry.k8s.io/kube-apiserver:v1.34.4',
  'registry.k8s.io/kube-controller-manager:v1.34.4',
  'registry.k8s.io/kube-proxy:v1.34.4',
  'registry.k8s.io/kube-scheduler:v1.34.4',
  'registry.k8s.io/pause:3.10.1',
]

export interface CriParts {
  ctx: ClusterContext
  runtime: ContainerRuntime
  records: PodRecords
  node: string
  serves(): boolean
}

/** What a node's runtime tells of its pods and containers, from what the kubelet remembers and what there is. */
export function criOf({ ctx, runtime, records, node, serves }: CriParts): Cri {
  const recorded = () => records.all().filter((record) => record.node === node)
  const containers = (): CriContainer[] => {
    const byPod = new Map(recorded().map((record) => [record.uid, record]))
    return runtime.containers().flatMap((container): CriContainer[] => {
      const { spec, state } = container
      const record = byPod.get(spec.podUID)
      const run = record?.runs.find(({ id }) => id === spec.id)
      if (!record || !run) return []
      const pod = podOf(ctx, record)
      const { restartCount: attempt, imageID, createdAt } = run
      return [{ id: spec.id, pod, name: spec.name, attempt, image: run.specImage, imageID, state, createdAt, container }]
    })
  }
  return {
    get serves() {
      return serves()
    },
    pods: () => recorded().flatMap((record) => (record.ip === undefined ? [] : podOf(ctx, record))),
    containers,
    images() {
      const names = new Set([...preloaded, ...recorded().flatMap(({ runs }) => runs.map(({ image }) => image))])
      const known = [...names].map((name) => runtime.present(name, node)).filter((image) => image !== undefined)
      const all = new Map([...known, ...runtime.images(node)].map((image) => [image.name, image]))
      return [...all.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
    },
    pull: async (image) => (await runtime.pull(image, { node })).image,
    removeImage(image) {
      const used = containers().some(
        ({ container }) => runtime.present(container.spec.image, node)?.name === runtime.present(image, node)?.name,
      )
      return !used && runtime.removeImage(image, node)
    },
  }
}

function podOf(ctx: ClusterContext, record: PodRecord): CriPod {
  const known = record.manifest ?? ctx.cache.get<Pod>(resources.pods, record.name, record.namespace)
  const { labels = {}, annotations = {} } = known?.metadata ?? {}
  const { uid, name, namespace, ip = '', startedAt, tornDown } = record
  const source = record.manifest ? 'file' : 'api'
  const { 'kubectl.kubernetes.io/last-applied-configuration': _applied, ...kept } = annotations
  return {
    id: sandboxId(uid),
    uid,
    name,
    namespace,
    ready: !tornDown,
    createdAt: startedAt,
    labels: { ...labels, 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': namespace, 'io.kubernetes.pod.uid': uid },
    annotations: { ...kept, 'kubernetes.io/config.seen': new Date(startedAt).toISOString(), 'kubernetes.io/config.source': source },
    ip,
    hostNetwork: known?.spec?.hostNetwork === true,
    qosClass: known ? qosClassOf(known) : 'BestEffort',
  }
}
