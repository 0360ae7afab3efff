import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { beforeEach, describe, expect, it } from 'vitest'
import { type KubeObject, resources } from '../machinery/object.ts'
import type { CertificateSigningRequest } from '../schema/types/certificates.v1.ts'
import type { ConfigMap, ResourceQuota, Secret } from '../schema/types/core.v1.ts'
import type { ClusterRole } from '../schema/types/rbac.v1.ts'
import { startCertificateSigning } from './certificate-signing.ts'
import { startClusterRoleAggregation } from './cluster-role-aggregation.ts'
import { startResourceQuota } from './resource-quota.ts'
import { startRootCa } from './root-ca.ts'
import { startServiceAccount } from './service-account.ts'
import { MemoryCluster } from './testing/memory.ts'
import { startTokenSecret } from './token-secret.ts'

let cluster: MemoryCluster

beforeEach(async () => {
  cluster = new MemoryCluster()
  await make(resources.namespaces, 'v1', 'Namespace', { name: 'team' })
})

type Known = (typeof resources)[keyof typeof resources]

function make(resource: Known, apiVersion: string, kind: string, metadata: KubeObject['metadata'], more: object = {}) {
  return cluster.client.create(resource, { apiVersion, kind, metadata, ...more } as KubeObject)
}

describe('every namespace', () => {
  it('has a default ServiceAccount, again after it is deleted', async () => {
    startServiceAccount(cluster)
    await cluster.settle()
    expect(cluster.cache.get(resources.serviceAccounts, 'default', 'team')).toBeDefined()
    await cluster.client.delete(resources.serviceAccounts, 'default', 'team')
    await cluster.settle()
    expect(cluster.cache.get(resources.serviceAccounts, 'default', 'team')).toBeDefined()
  })

  it('has the CA, again after someone changes it', async () => {
    startRootCa(cluster)
    await cluster.settle()
    const first = cluster.cache.get<ConfigMap>(resources.configMaps, 'kube-root-ca.crt', 'team')
    expect(new X509Certificate(first?.data?.['ca.crt'] ?? '').ca).toBe(true)
    await cluster.client.update(resources.configMaps, { ...first, data: { 'ca.crt': 'mine' } } as ConfigMap)
    await cluster.settle()
    expect(cluster.cache.get<ConfigMap>(resources.configMaps, 'kube-root-ca.crt', 'team')?.data).toEqual(first?.data)
  })
})

describe('token Secrets', () => {
  it('are filled for their ServiceAccount and go with it', async () => {
    startTokenSecret(cluster)
    await make(resources.serviceAccounts, 'v1', 'ServiceAccount', { name: 'bot', namespace: 'team' })
    const annotations = { 'kubernetes.io/service-account.name': 'bot' }
    await make(
      resources.secrets,
      'v1',
      'Secret',
      { name: 'bot-token', namespace: 'team', annotations },
      { type: 'kubernetes.io/service-account-token' },
    )
    await cluster.settle()
    const { data } = cluster.cache.get<Secret>(resources.secrets, 'bot-token', 'team') as Secret
    expect(Object.keys(data ?? {}).sort()).toEqual(['ca.crt', 'namespace', 'token'])
    const [, claims = ''] = Buffer.from(data?.['token'] ?? '', 'base64')
      .toString()
      .split('.')
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ sub: 'system:serviceaccount:team:bot' })
    await cluster.client.delete(resources.serviceAccounts, 'bot', 'team')
    await cluster.settle()
    expect(cluster.cache.get(resources.secrets, 'bot-token', 'team')).toBeUndefined()
  })
})

describe('aggregated ClusterRoles', () => {
  it('sum up the rules of those they select', async () => {
    startClusterRoleAggregation(cluster)
    const rule = (resource: string) => ({ verbs: ['get'], apiGroups: [''], resources: [resource] })
    const apiVersion = 'rbac.authorization.k8s.io/v1'
    const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { into: 'all' } }] }
    await make(resources.clusterRoles, apiVersion, 'ClusterRole', { name: 'all' }, { aggregationRule, rules: [] })
    await make(resources.clusterRoles, apiVersion, 'ClusterRole', { name: 'b', labels: { into: 'all' } }, { rules: [rule('b')] })
    await make(resources.clusterRoles, apiVersion, 'ClusterRole', { name: 'a', labels: { into: 'all' } }, { rules: [rule('a')] })
    await cluster.settle()
    expect(cluster.cache.get<ClusterRole>(resources.clusterRoles, 'all')?.rules).toEqual([rule('a'), rule('b')])
  })
})

describe('a quota', () => {
  it('shows what its namespace uses', async () => {
    startResourceQuota(cluster)
    await make(
      resources.resourceQuotas,
      'v1',
      'ResourceQuota',
      { name: 'q', namespace: 'team' },
      { spec: { hard: { pods: '2', 'requests.cpu': '1' } } },
    )
    const spec = { containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '250m' } } }] }
    for (const name of ['a', 'b']) await make(resources.pods, 'v1', 'Pod', { name, namespace: 'team' }, { spec })
    await cluster.settle()
    const status = () => cluster.cache.get<ResourceQuota>(resources.resourceQuotas, 'q', 'team')?.status
    expect(status()).toEqual({ hard: { pods: '2', 'requests.cpu': '1' }, used: { pods: '2', 'requests.cpu': '500m' } })
    await cluster.client.delete(resources.pods, 'a', 'team', { gracePeriodSeconds: 0 })
    await cluster.settle()
    expect(status()?.used).toEqual({ pods: '1', 'requests.cpu': '250m' })
  })
})

describe('certificate requests', () => {
  function opensslRequest(subject: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'csr-'))
    try {
      const [key, request] = [join(folder, 'key'), join(folder, 'csr')]
      execFileSync('openssl', ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-subj', subject, '-out', request], {
        stdio: 'ignore',
      })
      return readFileSync(request).toString('base64')
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  it('are signed once approved, for as long as they ask, by the rules of their signer', async () => {
    startCertificateSigning(cluster)
    const request = opensslRequest('/O=dev/CN=jane')
    const spec = { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], expirationSeconds: 3600 }
    const conditions = [{ type: 'Approved', status: 'True', reason: 'KubectlApprove' }]
    const get = (name: string) => cluster.cache.get<CertificateSigningRequest>(resources.certificateSigningRequests, name)
    const create = (name: string, more: object) =>
      make(resources.certificateSigningRequests, 'certificates.k8s.io/v1', 'CertificateSigningRequest', { name }, more)
    await create('waiting', { spec })
    await create('jane', { spec, status: { conditions } })
    await create('wrong', { spec: { ...spec, usages: ['server auth'] }, status: { conditions } })
    await cluster.settle()
    expect(get('waiting')?.status?.certificate).toBeUndefined()
    const certificate = new X509Certificate(Buffer.from(get('jane')?.status?.certificate ?? '', 'base64'))
    expect(certificate.subject).toBe('O=dev\nCN=jane')
    expect(() => createSecureContext({ cert: certificate.toString() })).not.toThrow()
    expect(execFileSync('openssl', ['x509', '-noout', '-purpose'], { input: certificate.toString() }).toString()).toContain(
      'SSL client : Yes',
    )
    expect(Date.parse(certificate.validTo)).toBe(Date.parse('2030-01-01T01:00:00Z'))
    expect(get('wrong')?.status?.conditions?.at(-1)).toMatchObject({
      type: 'Failed',
      message: 'invalid usage for client certificate: server auth',
    })
  })
})
