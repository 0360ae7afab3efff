import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { stringify } from 'yaml'
import {
  alternativeNames,
  certificate,
  extension,
  type KeyPair,
  type KeyUsage,
  keyIdentifier,
  keyPem,
  keyUsage,
  newKey,
  oid,
  type Subject,
  usageOids,
} from '../embedded/auth/certificates.ts'
import { der, parseDer } from '../embedded/auth/der.ts'

export type { KeyPair }

export interface Identity {
  username: string
  groups: readonly string[]
}

/** Everything that a new cluster's nodes prove themselves with: paths under /etc/kubernetes and PEM or YAML texts. */
export interface ClusterSecrets {
  authority: KeyPair
  controlPlane: Map<string, string>
  /** Of the worker with this name. */
  worker(name: string): Map<string, string>
}

interface Leaf {
  subject: Subject
  usages: readonly KeyUsage[]
  dns?: readonly string[]
  ips?: readonly string[]
}

/** Whom kubeadm's ClusterRoleBinding makes cluster-admin. */
const administrators = 'kubeadm:cluster-admins'
const year = 365 * 86_400_000
const backdate = 5 * 60_000

/** A client certificate with a key that nobody had before, signed by a cluster's authority. */
export function issueClient(authority: KeyPair, { username, groups }: Identity): KeyPair {
  const organizations = groups.filter((group) => group !== 'system:authenticated')
  return issue(authority, { subject: { commonName: username, organizations }, usages: ['client auth'] })
}

/** A kubeconfig for the cluster whose server is reached at `server`. */
export function kubeconfigOf(options: { server: string; ca: string; username: string; pair: KeyPair }): string {
  const { server, ca, username, pair } = options
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const context = `${username}@labernetes`
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'labernetes', cluster: { 'certificate-authority-data': base64(ca), server } }],
    contexts: [{ name: context, context: { cluster: 'labernetes', user: username } }],
    'current-context': context,
    users: [{ name: username, user: { 'client-certificate-data': base64(pair.certificate), 'client-key-data': base64(pair.key) } }],
  })
}

/**
 * Authorities, certificates, keys and kubeconfigs of a cluster, as `kubeadm init` lays them out (kubernetes.io, "PKI
 * certificates and requirements"), but with ECDSA keys: all of it takes 30 ms.
 */
export function newClusterSecrets(control: { name: string; ip: string }, server: string): ClusterSecrets {
  const authority = newAuthority('kubernetes')
  const etcd = newAuthority('etcd-ca')
  const frontProxy = newAuthority('front-proxy-ca')
  const files = new Map<string, string>()
  const put = (path: string, pair: KeyPair) => {
    files.set(`pki/${path}.crt`, pair.certificate)
    files.set(`pki/${path}.key`, pair.key)
  }
  put('ca', authority)
  put('etcd/ca', etcd)
  put('front-proxy-ca', frontProxy)
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local']
  put(
    'apiserver',
    issue(authority, {
      subject: { commonName: 'kube-apiserver' },
      usages: ['server auth'],
      dns: [control.name, ...service, 'localhost'],
      ips: ['10.96.0.1', control.ip, '127.0.0.1'],
    }),
  )
  const reachesEtcd = { dns: [control.name, 'localhost'], ips: [control.ip, '127.0.0.1', '::1'] }
  for (const part of ['server', 'peer'])
    put(`etcd/${part}`, issue(etcd, { subject: { commonName: control.name }, usages: ['server auth', 'client auth'], ...reachesEtcd }))
  put('apiserver-kubelet-client', issueClient(authority, { username: 'kube-apiserver-kubelet-client', groups: [administrators] }))
  put('front-proxy-client', issueClient(frontProxy, { username: 'front-proxy-client', groups: [] }))
  put('apiserver-etcd-client', issueClient(etcd, { username: 'kube-apiserver-etcd-client', groups: [] }))
  put('etcd/healthcheck-client', issueClient(etcd, { username: 'kube-etcd-healthcheck-client', groups: [] }))
  const tokens = newKey()
  files.set('pki/sa.key', keyPem(tokens.privateKey))
  files.set('pki/sa.pub', createPublicKey(tokens.privateKey).export({ type: 'spki', format: 'pem' }) as string)
  const kubeconfig = (identity: Identity, address = server) =>
    kubeconfigOf({ server: address, ca: authority.certificate, username: identity.username, pair: issueClient(authority, identity) })
  const node = (name: string) => kubeconfig({ username: `system:node:${name}`, groups: ['system:nodes'] })
  const local = `https://${control.ip}:6443`
  files.set('admin.conf', kubeconfig({ username: 'kubernetes-admin', groups: [administrators] }))
  files.set('super-admin.conf', kubeconfig({ username: 'kubernetes-super-admin', groups: ['system:masters'] }))
  files.set('controller-manager.conf', kubeconfig({ username: 'system:kube-controller-manager', groups: [] }, local))
  files.set('scheduler.conf', kubeconfig({ username: 'system:kube-scheduler', groups: [] }, local))
  files.set('kubelet.conf', node(control.name))
  return {
    authority,
    controlPlane: files,
    worker: (name) =>
      new Map([
        ['pki/ca.crt', authority.certificate],
        ['kubelet.conf', node(name)],
      ]),
  }
}

function newAuthority(commonName: string): KeyPair {
  const { privateKey, publicKey } = newKey()
  const now = Math.floor(Date.now() / 1000) * 1000
  const fields = {
    subject: { commonName },
    issuer: { commonName },
    publicKey,
    notBefore: now - backdate,
    notAfter: now + 10 * year,
    extensions: [
      keyUsage(true, true, true),
      extension(oid.basicConstraints, true, der.sequence(der.boolean(true))),
      extension(oid.subjectKeyIdentifier, false, der.octetString(keyIdentifier(publicKey))),
      extension(oid.subjectAlternativeName, false, alternativeNames({ dnsNames: [commonName] })),
    ],
  }
  return { certificate: certificate(fields, privateKey), key: keyPem(privateKey) }
}

function issue(authority: KeyPair, { subject, usages, dns = [], ips = [] }: Leaf): KeyPair {
  const issuer = new X509Certificate(authority.certificate)
  const names = alternativeNames({ dnsNames: [...dns], ipAddresses: [...ips] })
  const { privateKey, publicKey } = newKey()
  const fields = {
    subject,
    issuer: subjectOf(issuer),
    publicKey,
    notBefore: Math.max(Date.now() - backdate, Date.parse(issuer.validFrom)),
    notAfter: Math.min(Date.now() + year, Date.parse(issuer.validTo)),
    extensions: [
      keyUsage(true, true, false),
      extension(oid.extendedKeyUsage, false, der.sequence(...usages.map((usage) => der.objectIdentifier(usageOids[usage])))),
      extension(oid.basicConstraints, true, der.sequence()),
      ...(dns.length + ips.length > 0 ? [extension(oid.subjectAlternativeName, false, names)] : []),
    ],
  }
  return { certificate: certificate(fields, createPrivateKey(authority.key)), key: keyPem(privateKey) }
}

/** TBSCertificate (RFC 5280 4.1): version, serial number, algorithm, issuer, validity, subject. */
function subjectOf(certificate: X509Certificate): Buffer {
  const subject = parseDer(certificate.raw).children[0]?.children[5]
  if (!subject) throw new Error('Not an X.509 version 3 certificate')
  return subject.raw
}
