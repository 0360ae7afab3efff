import type { ClusterContext } from '../machinery/context.ts'
import { isAlreadyExists } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Container, Node, Pod } from '../schema/types/core.v1.ts'

const namespace = 'kube-system'
/** ms until the kubelet puts a mirror pod back that somebody has deleted. */
const putBackAfter = 1000

/**
 * The mirror pods of a control plane's static pods, as its kubelet keeps them in the API: who deletes one sees it come
 * back. The components themselves are this process. Rejects with ApiError.
 */
export async function startControlPlanePods(ctx: ClusterContext, nodeName: string): Promise<Disposable> {
  const node = ctx.cache.get<Node>(resources.nodes, nodeName)
  const ip = node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? ''
  const pods = new Map(components(nodeName, ip).map((container) => [`${container.name}-${nodeName}`, container]))
  const put = async (name: string, container: Container) => {
    if (ctx.cache.get<Pod>(resources.pods, name, namespace)) return
    const uid = ctx.cache.get<Node>(resources.nodes, nodeName)?.metadata.uid
    if (uid === undefined) return
    try {
      await ctx.client.create(resources.pods, mirrorPod(ctx, name, container, { name: nodeName, uid }), { namespace })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }
  for (const [name, container] of pods) await put(name, container)
  return ctx.cache.watch<Pod>(resources.pods, ({ type, object: { metadata } }) => {
    if (type !== 'DELETED' || metadata.namespace !== namespace) return
    const container = pods.get(metadata.name ?? '')
    if (!container) return
    ctx.clock.setTimeout(() => {
      if (ctx.signal.aborted) return
      ctx.clock.during(put(metadata.name ?? '', container)).catch((error) => ctx.report(`mirror pod ${metadata.name}`, error))
    }, putBackAfter)
  })
}

function mirrorPod(ctx: ClusterContext, name: string, container: Container, node: { name: string; uid: string }): Pod {
  const hash = Array.from({ length: 32 }, () => Math.floor(ctx.random() * 16).toString(16)).join('')
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      annotations: {
        'kubernetes.io/config.hash': hash,
        'kubernetes.io/config.mirror': hash,
        'kubernetes.io/config.seen': new Date(ctx.clock.now()).toISOString(),
        'kubernetes.io/config.source': 'file',
      },
      labels: { component: container.name, tier: 'control-plane' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid, controller: true }],
    },
    spec: {
      containers: [container],
      hostNetwork: true,
      nodeName: node.name,
      priorityClassName: 'system-node-critical',
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      tolerations: [{ effect: 'NoExecute', operator: 'Exists' }],
    },
  }
}

/** The components with the flags by which people recognise them. */
function components(node: string, ip: string): Container[] {
  const pki = '/etc/kubernetes/pki'
  const component = (name: string, cpu: string, flags: string[], image = `registry.k8s.io/${name}:v1.34.4`): Container => ({
    name,
    image,
    imagePullPolicy: 'IfNotPresent',
    command: [name, ...flags],
    resources: { requests: { cpu, ...(name === 'etcd' ? { memory: '100Mi' } : {}) } },
  })
  const config = (name: string) => `--kubeconfig=/etc/kubernetes/${name}.conf`
  return [
    component(
      'etcd',
      '100m',
      [
        `--advertise-client-urls=https://${ip}:2379`,
        `--cert-file=${pki}/etcd/server.crt`,
        '--client-cert-auth=true',
        '--data-dir=/var/lib/etcd',
        `--initial-cluster=${node}=https://${ip}:2380`,
        `--key-file=${pki}/etcd/server.key`,
        `--listen-client-urls=https://127.0.0.1:2379,https://${ip}:2379`,
        `--name=${node}`,
        `--trusted-ca-file=${pki}/etcd/ca.crt`,
      ],
      'registry.k8s.io/etcd:3.6.5-0',
    ),
    component('kube-apiserver', '250m', [
      `--advertise-address=${ip}`,
      '--allow-privileged=true',
      '--authorization-mode=Node,RBAC',
      `--client-ca-file=${pki}/ca.crt`,
      '--enable-admission-plugins=NodeRestriction',
      '--enable-bootstrap-token-auth=true',
      '--etcd-servers=https://127.0.0.1:2379',
      '--secure-port=6443',
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${pki}/sa.pub`,
      '--service-cluster-ip-range=10.96.0.0/16',
      `--tls-cert-file=${pki}/apiserver.crt`,
      `--tls-private-key-file=${pki}/apiserver.key`,
    ]),
    component('kube-controller-manager', '200m', [
      '--allocate-node-cidrs=true',
      '--bind-address=127.0.0.1',
      '--cluster-cidr=10.244.0.0/16',
      `--cluster-name=${node.replace(/-control-plane$/, '')}`,
      `--cluster-signing-cert-file=${pki}/ca.crt`,
      '--controllers=*,bootstrapsigner,tokencleaner',
      config('controller-manager'),
      '--leader-elect=true',
      `--root-ca-file=${pki}/ca.crt`,
      '--service-cluster-ip-range=10.96.0.0/16',
      '--use-service-account-credentials=true',
    ]),
    component('kube-scheduler', '100m', ['--bind-address=127.0.0.1', config('scheduler'), '--leader-elect=true']),
  ]
}
