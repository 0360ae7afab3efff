import { createPublicKey } from 'node:crypto'
import { type ClusterIdentity, type KeyPair, keyPem } from '../auth/certificates.ts'
import { boundAdministrator } from '../machinery/client.ts'
import type { UserInfo } from '../machinery/object.ts'
import { controlPlaneManifests } from './control-plane.ts'
import { kubeconfigText } from './kubeconfig.ts'

type Files = Record<string, { text: string; mode: number }>

export interface NodeFilesInput {
  identity: ClusterIdentity
  cluster: string
  node: { name: string; ip: string }
  /** The address of the control plane's node. */
  controlPlaneIP: string
  isControlPlane: boolean
}

/**
 * What kubeadm leaves on a node of this cluster: its kubelet's credentials, and on the control plane the certificates and
 * keys, the kubeconfigs and the manifests. All of it works, and none of it is worth anything outside of this cluster.
 */
export function kubeadmFiles({ identity, cluster, node, controlPlaneIP, isControlPlane }: NodeFilesInput): Files {
  const files: Files = {}
  const put = (path: string, text: string, mode = 0o600) => {
    files[path] = { text, mode }
  }
  const server = `https://${controlPlaneIP}:6443`
  const kubelet = `system:node:${node.name}`
  const own = identity.client({ username: kubelet, groups: ['system:nodes'] })
  const current = '/var/lib/kubelet/pki/kubelet-client-current.pem'
  put(current.slice(1), own.certificate + own.key)
  const config = (user: string, credentials: KeyPair | string) =>
    kubeconfigText({ cluster, server, ca: identity.caCertificate, user, credentials })
  put('etc/kubernetes/kubelet.conf', config(kubelet, current))
  put('etc/kubernetes/pki/ca.crt', identity.caCertificate, 0o644)
  if (!isControlPlane) return files

  const pair = (path: string, { certificate, key }: KeyPair) => {
    put(`etc/kubernetes/pki/${path}.crt`, certificate, 0o644)
    put(`etc/kubernetes/pki/${path}.key`, key)
  }
  pair('ca', identity.authorityPair('cluster'))
  pair('etcd/ca', identity.authorityPair('etcd'))
  pair('front-proxy-ca', identity.authorityPair('front-proxy'))
  pair('apiserver', identity.server({ name: node.name, address: node.ip }))
  const client = ['client auth'] satisfies ['client auth']
  const masters = { commonName: 'kube-apiserver-kubelet-client', organizations: ['kubeadm:cluster-admins'] }
  pair('apiserver-kubelet-client', identity.pair('cluster', { subject: masters, extendedUsages: client }))
  pair('apiserver-etcd-client', identity.pair('etcd', { subject: { commonName: 'kube-apiserver-etcd-client' }, extendedUsages: client }))
  pair('front-proxy-client', identity.pair('front-proxy', { subject: { commonName: 'front-proxy-client' }, extendedUsages: client }))
  pair('etcd/server', identity.etcdServer(node.name, node.ip))
  pair('etcd/peer', identity.etcdServer(node.name, node.ip))
  pair('etcd/healthcheck-client', identity.etcdClient())
  const accounts = identity.serviceAccountKey()
  put('etc/kubernetes/pki/sa.key', keyPem(accounts))
  put('etc/kubernetes/pki/sa.pub', createPublicKey(accounts).export({ type: 'spki', format: 'pem' }) as string)

  const users: [string, Pick<UserInfo, 'username' | 'groups'>][] = [
    ['admin', boundAdministrator],
    ['super-admin', { username: 'kubernetes-super-admin', groups: ['system:masters'] }],
    ['controller-manager', { username: 'system:kube-controller-manager', groups: [] }],
    ['scheduler', { username: 'system:kube-scheduler', groups: [] }],
  ]
  for (const [name, user] of users) put(`etc/kubernetes/${name}.conf`, config(user.username, identity.client(user)))
  for (const [name, text] of Object.entries(controlPlaneManifests(node.name, node.ip))) put(`etc/kubernetes/manifests/${name}`, text)
  return files
}
