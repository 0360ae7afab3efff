import type { ContainerRuntime, Volume, VolumeTraits } from '../containers/runtime.ts'
import { addressIn } from '../network/addresses.ts'
import { nodeCIDR } from '../network/index.ts'
import type { RegisteredNode } from './node.ts'
import { nodeHostsFile } from './pod-files.ts'

const traits: VolumeTraits = { image: 'docker.io/kindest/node:v1.34.4', sizeBytes: 128 * 1024 * 1024 }

/** The file system of a node, under which hostPaths lie. */
export function filesOfNode(runtime: ContainerRuntime, node: string): Volume {
  return runtime.volume(`host/${node}`, traits)
}

/** What kubeadm, the platform and kindnet have written on a new node. */
export function writeNodeFiles(files: Volume, node: RegisteredNode, kindnet: boolean): void {
  const write = (path: string, text: string, mode?: number) => files.write(path, Buffer.from(text), mode)
  write('etc/hostname', `${node.name}\n`)
  write('etc/hosts', nodeHostsFile(node.name, node.ip))
  write('etc/resolv.conf', `nameserver ${addressIn(nodeCIDR, 1)}\noptions ndots:0\n`)
  write('var/lib/kubelet/config.yaml', kubeletConfig, 0o600)
  if (kindnet) write('etc/cni/net.d/10-kindnet.conflist', kindnetConfig(node.podCIDR))
}

const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
rotateCertificates: true
staticPodPath: /etc/kubernetes/manifests
`

function kindnetConfig(subnet: string): string {
  const plugins = [
    {
      type: 'ptp',
      ipMasq: false,
      ipam: { type: 'host-local', dataDir: '/run/cni-ipam-state', routes: [{ dst: '0.0.0.0/0' }], ranges: [[{ subnet }]] },
      mtu: 1500,
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ]
  return `${JSON.stringify({ cniVersion: '0.3.1', name: 'kindnet', plugins }, null, 2)}\n`
}
