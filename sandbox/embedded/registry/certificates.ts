import type { CertificateSigningRequest } from '../schema/types/certificates.v1.ts'
import { define, subresource } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { certificateSigningRequestRules } from './rules/certificates.ts'

const group = 'certificates.k8s.io'
const version = 'v1'

export const certificates: readonly ResourceInfo[] = [
  define<CertificateSigningRequest>(group, version, {
    kind: 'CertificateSigningRequest',
    resource: 'certificatesigningrequests',
    shortNames: ['csr'],
    namespaced: false,
    status: true,
    resetFields: {
      '': { all: ['spec', 'status'] },
      status: { all: ['spec', 'status.conditions'] },
      approval: { all: ['spec', 'status.certificate'] },
    },
    subresources: [subresource('approval', 'CertificateSigningRequest')],
    ...certificateSigningRequestRules,
  }),
]
