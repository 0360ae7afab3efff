import type { KeyPair } from '../auth/certificates.ts'

export interface KubeconfigInput {
  cluster: string
  /** Its URL. */
  server: string
  /** The certificate of the cluster's authority, PEM. */
  ca: string
  user: string
  /** A client's pair, PEM; or the path of a file that holds both. */
  credentials: KeyPair | string
}

/** A kubeconfig (YAML) of one cluster, user and context, as kubeadm writes it. */
export function kubeconfigText({ cluster, server, ca, user, credentials }: KubeconfigInput): string {
  const context = `${user}@${cluster}`
  const held =
    typeof credentials === 'string'
      ? [`    client-certificate: ${credentials}`, `    client-key: ${credentials}`]
      : [`    client-certificate-data: ${base64(credentials.certificate)}`, `    client-key-data: ${base64(credentials.key)}`]
  return [
    'apiVersion: v1',
    'clusters:',
    '- cluster:',
    `    certificate-authority-data: ${base64(ca)}`,
    `    server: ${server}`,
    `  name: ${cluster}`,
    'contexts:',
    '- context:',
    `    cluster: ${cluster}`,
    `    user: ${user}`,
    `  name: ${context}`,
    `current-context: ${context}`,
    'kind: Config',
    'users:',
    `- name: ${user}`,
    '  user:',
    ...held,
    '',
  ].join('\n')
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
