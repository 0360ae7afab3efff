import { ClusterIdentity, type KeyUsage } from '../auth/certificates.ts'
import { type ParsedSigningRequest, parseSigningRequest } from '../auth/signing-request.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isConflict, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { SubjectAccessReview } from '../schema/types/authorization.v1.ts'
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../schema/types/certificates.v1.ts'
import { WorkQueue } from './queue.ts'

/** Approves kubelets' own certificate requests and signs approved ones for the signers of kubernetes.io. */
export function startCertificateSigning(context: ClusterContext): Disposable {
  const { cache, client, clock } = context
  const identity = new ClusterIdentity(context.records, clock)
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(context, sync, { name: 'certificate' }))
  stack.use(
    cache.watch<CertificateSigningRequest>(resources.certificateSigningRequests, ({ type, object }) => {
      if (type !== 'DELETED') queue.add(object.metadata.name as string)
    }),
  )
  return stack

  async function sync(name: string): Promise<void> {
    const request = cache.get<CertificateSigningRequest>(resources.certificateSigningRequests, name)
    if (!request || request.status?.certificate || has(request, 'Denied') || has(request, 'Failed')) return
    const parsed = parseSigningRequest(request.spec.request)
    if (typeof parsed === 'string') throw new Error(`unable to parse csr "${name}": ${parsed}`)
    try {
      if (!has(request, 'Approved')) await approve(request, parsed)
      else if (signers[request.spec.signerName]) await sign(request, parsed)
    } catch (error) {
      if (isConflict(error)) queue.add(name)
      else if (!isNotFound(error)) throw error
    }
  }

  async function approve(request: CertificateSigningRequest, parsed: ParsedSigningRequest): Promise<void> {
    if (request.spec.signerName !== kubeletClient || kubeletClientProblem(request, parsed)) return
    const isSelf = request.spec.username === parsed.subject.commonName
    const rights = isSelf ? (['selfnodeclient', selfMessage] as const) : (['nodeclient', nodeMessage] as const)
    if (!(await mayCreate(request, rights[0]))) return
    const condition = { type: 'Approved', status: 'True', reason: 'AutoApproved', message: rights[1] }
    const next = { ...request, status: { ...request.status, conditions: [...(request.status?.conditions ?? []), stamped(condition)] } }
    await client.update<CertificateSigningRequest>(resources.certificateSigningRequests, next, { subresource: 'approval' })
  }

  async function mayCreate(request: CertificateSigningRequest, subresource: string): Promise<boolean> {
    const attributes = { group: 'certificates.k8s.io', resource: 'certificatesigningrequests', verb: 'create', subresource }
    const review = await client.create<SubjectAccessReview>(accessReviews, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: { user: request.spec.username ?? '', groups: request.spec.groups ?? [], resourceAttributes: attributes },
    })
    return review.status?.allowed ?? false
  }

  async function sign(request: CertificateSigningRequest, parsed: ParsedSigningRequest): Promise<void> {
    const problem = signers[request.spec.signerName]?.(request, parsed)
    const status = problem
      ? {
          ...request.status,
          conditions: [
            ...(request.status?.conditions ?? []),
            stamped({ type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message: problem }),
          ],
        }
      : { ...request.status, certificate: Buffer.from(certificateFor(request, parsed)).toString('base64') }
    await client.update<CertificateSigningRequest>(resources.certificateSigningRequests, { ...request, status }, { subresource: 'status' })
  }

  /** A year unless less is asked for; ten minutes at least. */
  function certificateFor({ spec }: CertificateSigningRequest, parsed: ParsedSigningRequest): string {
    const now = clock.now()
    const seconds = Math.max(600, Math.min(spec.expirationSeconds ?? year, year))
    const usages = spec.usages ?? []
    return identity.sign({
      subject: parsed.subject,
      publicKey: parsed.publicKey,
      notBefore: now - backdate,
      notAfter: now + seconds * 1000 - (seconds < 8 * 3600 ? 0 : backdate),
      extendedUsages: usages.filter((usage): usage is KeyUsage => usage === 'client auth' || usage === 'server auth'),
      digitalSignature: usages.includes('digital signature'),
      keyEncipherment: usages.includes('key encipherment'),
      dnsNames: parsed.dnsNames,
      ipAddresses: parsed.ipAddresses,
    })
  }

  function stamped(condition: Omit<CertificateSigningRequestCondition, 'lastUpdateTime' | 'lastTransitionTime'>) {
    const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
    return { ...condition, lastUpdateTime: now, lastTransitionTime: now }
  }
}

const accessReviews = { group: 'authorization.k8s.io', version: 'v1', resource: 'subjectaccessreviews' }
const kubeletClient = 'kubernetes.io/kube-apiserver-client-kubelet'
const selfMessage = 'Auto approving self kubelet client certificate after SubjectAccessReview.'
const nodeMessage = 'Auto approving kubelet client certificate after SubjectAccessReview.'
const year = 365 * 86_400
const backdate = 5 * 60_000

type Rule = (request: CertificateSigningRequest, parsed: ParsedSigningRequest) => string | undefined

/** What each signer refuses to sign, in the real signers' words. */
const signers: Record<string, Rule | undefined> = {
  'kubernetes.io/kube-apiserver-client': ({ spec }) => clientUsageProblem(spec.usages),
  [kubeletClient]: kubeletClientProblem,
  'kubernetes.io/kubelet-serving': ({ spec }, parsed) => {
    const names = subjectProblem(parsed)
    if (names) return names
    if (parsed.dnsNames.length === 0 && parsed.ipAddresses.length === 0) return 'DNS or IP subjectAltName is required'
    if (spec.username !== parsed.subject.commonName) return 'requested common name does not match the requesting user'
    return usageProblem(spec.usages, ['server auth', 'digital signature'], ['key encipherment'])
  },
  'kubernetes.io/legacy-unknown': () => undefined,
}

function kubeletClientProblem({ spec }: CertificateSigningRequest, parsed: ParsedSigningRequest): string | undefined {
  const names = subjectProblem(parsed)
  if (names) return names
  if (parsed.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed'
  if (parsed.ipAddresses.length > 0) return 'IP subjectAltNames are not allowed'
  return usageProblem(spec.usages, ['client auth', 'digital signature'], ['key encipherment'])
}

function subjectProblem({ subject, emailAddresses, uris }: ParsedSigningRequest): string | undefined {
  if (subject.organizations.length !== 1 || subject.organizations[0] !== 'system:nodes') return 'subject organization is not system:nodes'
  if (!subject.commonName.startsWith('system:node:')) return 'subject common name does not begin with system:node:'
  if (emailAddresses.length > 0) return 'Email subjectAltNames are not allowed'
  return uris.length > 0 ? 'URI subjectAltNames are not allowed' : undefined
}

function usageProblem(usages: readonly string[] | undefined, needed: readonly string[], optional: readonly string[]): string | undefined {
  const given = usages ?? []
  const fits = needed.every((usage) => given.includes(usage)) && given.every((usage) => needed.includes(usage) || optional.includes(usage))
  return fits ? undefined : `usages did not match [${needed.toSorted().join(' ')}]`
}

function clientUsageProblem(usages: readonly string[] = []): string | undefined {
  const wrong = usages.find((usage) => !['client auth', 'digital signature', 'key encipherment'].includes(usage))
  if (wrong !== undefined) return `invalid usage for client certificate: ${wrong}`
  return usages.includes('client auth') ? undefined : 'missing required usage for client certificate: client auth'
}

function has(request: CertificateSigningRequest, type: string): boolean {
  return request.status?.conditions?.some((condition) => condition.type === type && condition.status !== 'False') ?? false
}
