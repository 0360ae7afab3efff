import type { Authorizer } from '../auth/rbac.ts'
import { parseSigningRequest } from '../auth/signing-request.ts'
import type { CertificateSigningRequest } from '../schema/types/certificates.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, isAbout, refuse } from './admission.ts'

const group = 'certificates.k8s.io'
const resource = 'certificatesigningrequests'

/** Who approves a request must be granted `approve` on its signer. */
export function certificateApproval(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    handles: (request) => request.operation === 'UPDATE' && isAbout(request, group, resource, 'approval'),
    validate: (request) => checkSigner(authorizer, request, 'approve'),
  }
}

/** Who writes a certificate into a request must be granted `sign` on its signer. */
export function certificateSigning(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    handles: (request) => request.operation === 'UPDATE' && isAbout(request, group, resource, 'status'),
    validate(request) {
      const status = (request.object as CertificateSigningRequest).status
      const old = (request.oldObject as CertificateSigningRequest).status
      const unchanged = status?.certificate === old?.certificate && JSON.stringify(status?.conditions) === JSON.stringify(old?.conditions)
      if (!unchanged) checkSigner(authorizer, request, 'sign')
    },
  }
}

/** Nobody becomes system:masters by certificate request. */
export function certificateSubjectRestriction(): AdmissionPlugin {
  return {
    name: 'CertificateSubjectRestriction',
    handles: (request) => request.operation === 'CREATE' && isAbout(request, group, resource),
    validate(request) {
      const { spec } = request.object as CertificateSigningRequest
      if (spec.signerName !== 'kubernetes.io/kube-apiserver-client') return
      const parsed = parseSigningRequest(spec.request)
      if (typeof parsed === 'string') throw refuse(request, `failed to parse CSR: ${parsed}`)
      if (!parsed.subject.organizations.includes('system:masters')) return
      throw refuse(request, `use of ${spec.signerName} signer with system:masters group is not allowed`)
    },
  }
}

function checkSigner(authorizer: Authorizer, request: AdmissionRequest, verb: 'approve' | 'sign'): void {
  const { signerName } = (request.oldObject as CertificateSigningRequest).spec
  const wildcard = `${signerName.split('/')[0]}/*`
  const allowed = [signerName, wildcard].some(
    (name) => authorizer.authorize({ user: request.user, verb, group, version: '*', resource: 'signers', name }).allowed,
  )
  if (!allowed) throw refuse(request, `user not permitted to ${verb} requests with signerName ${JSON.stringify(signerName)}`)
}
