import { copyOf } from '../../machinery/copy.ts'
import type { CertificateSigningRequest } from '../../schema/types/certificates.v1.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, Path, required, specPath, tooLong } from '../field.ts'
import { isDns1123Label, isDns1123Subdomain } from '../names.ts'

/** pkg/apis/certificates: defaults, strategy and validation. */
export const certificateSigningRequestRules: Partial<Definition<CertificateSigningRequest>> = {
  // nobody cares what a request is called
  name: () => [],
  prepareForCreate({ spec }, { user }) {
    for (const field of ['username', 'uid', 'groups', 'extra'] as const) delete spec[field]
    if (!user) return
    spec.username = user.username
    spec.groups = [...user.groups]
    if (user.uid) spec.uid = user.uid
    if (user.extra) spec.extra = copyOf(user.extra) as unknown as NonNullable<typeof spec.extra>
  },
  prepareForUpdate(request, old) {
    request.spec = copyOf(old.spec)
  },
  validate({ spec }) {
    const errors: FieldError[] = []
    if (
      !Buffer.from(spec.request ?? '', 'base64')
        .toString()
        .includes('CERTIFICATE REQUEST')
    ) {
      errors.push(invalid(specPath.child('request'), spec.request, 'PEM block type must be CERTIFICATE REQUEST'))
    }
    if (!spec.usages?.length) errors.push(required(specPath.child('usages')))
    const given = spec.usages ?? []
    for (const [index, usage] of given.entries()) {
      const at = specPath.child('usages').index(index)
      if (!usages.includes(usage)) errors.push(notSupported(at, usage, usages))
      if (given.indexOf(usage) < index) errors.push(duplicate(at, usage))
    }
    errors.push(...signerErrors(spec.signerName, specPath.child('signerName')))
    const seconds = spec.expirationSeconds
    if (seconds !== undefined && seconds < 600) {
      errors.push(invalid(specPath.child('expirationSeconds'), seconds, 'may not specify a duration less than 600 seconds (10 minutes)'))
    }
    return errors
  },
  validateUpdate: () => [],
  prepareForStatusUpdate({ status }, old, { now }) {
    const before = old.status?.conditions ?? []
    const conditions = status?.conditions ?? []
    for (const type of ['Approved', 'Denied']) {
      const decided = before.filter((condition) => condition.type === type)
      const places = conditions.flatMap((condition, index) => (condition.type === type ? [index] : []))
      if (decided.length === places.length) for (const [index, place] of places.entries()) conditions[place] = copyOf(decided[index]!)
    }
    for (const condition of conditions) {
      condition.lastUpdateTime ||= now
      const same = before.find(({ type, status: state }) => type === condition.type && state === condition.status)
      condition.lastTransitionTime ||= same?.lastTransitionTime ?? now
    }
  },
  validateStatus: (request, old) => [
    ...validateConditions(request, old),
    ...unchangedApproval(request, old),
    ...certificateErrors(request.status?.certificate, old),
  ],
  fieldSelectors: { 'spec.signerName': ({ spec }) => spec.signerName },
}

type Condition = NonNullable<NonNullable<CertificateSigningRequest['status']>['conditions']>[number]

const statusPath = new Path('status')
const conditionsPath = statusPath.child('conditions')
/** What has been decided is not taken back. */
const decided = ['Approved', 'Denied', 'Failed']

/** Of an update of the status or of the approval: what conditions may say, and that none is taken back. */
export function validateConditions(request: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const errors: FieldError[] = []
  const conditions = request.status?.conditions ?? []
  for (const [index, { type, status }] of conditions.entries()) {
    const at = conditionsPath.index(index)
    const before = conditions.slice(0, index)
    const allowed = decided.includes(type) ? ['True'] : ['False', 'True', 'Unknown']
    if (!type) errors.push(required(at.child('type')))
    if (!status) errors.push(required(at.child('status')))
    else if (!allowed.includes(status)) errors.push(notSupported(at.child('status'), status, allowed))
    const opposite = { Approved: 'Denied', Denied: 'Approved' }[type]
    if (opposite && before.some((one) => one.type === opposite)) {
      errors.push(invalid(conditionsPath, type, 'Approved and Denied conditions are mutually exclusive'))
    }
    if (before.some((one) => one.type === type)) errors.push(duplicate(at.child('type'), type))
  }
  for (const type of decided) {
    if (ofType(request, type).length < ofType(old, type).length) {
      errors.push(forbidden(conditionsPath, `updates may not remove a condition of type ${JSON.stringify(type)}`))
    }
  }
  return errors
}

/** Approvals are given at their own place. */
function unchangedApproval(request: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  return ['Approved', 'Denied'].flatMap((type) =>
    ofType(request, type).length > ofType(old, type).length
      ? [forbidden(conditionsPath, `updates may not add a condition of type ${JSON.stringify(type)}`)]
      : [],
  )
}

function ofType({ status }: CertificateSigningRequest, type: string): Condition[] {
  return status?.conditions?.filter((condition) => condition.type === type) ?? []
}

/** What has been issued is not issued again, and is made of certificates. */
function certificateErrors(certificate = '', old: CertificateSigningRequest): FieldError[] {
  const at = statusPath.child('certificate')
  const before = old.status?.certificate ?? ''
  if (certificate === before) return []
  if (before) return [forbidden(at, 'updates may not modify existing certificate content')]
  const blocks = [
    ...Buffer.from(certificate, 'base64')
      .toString()
      .matchAll(/-----BEGIN ([^-]+)-----/g),
  ].map(([, type]) => type)
  const other = blocks.find((type) => type !== 'CERTIFICATE')
  if (other) return [invalid(at, hidden, `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(other)}`)]
  return certificate && blocks.length === 0 ? [invalid(at, hidden, 'must contain at least one CERTIFICATE PEM block')] : []
}

const hidden = '<certificate data>'

const usages = [
  ...['any', 'cert sign', 'client auth', 'code signing', 'content commitment', 'crl sign', 'data encipherment', 'decipher only'],
  ...['digital signature', 'email protection', 'encipher only', 'ipsec end system', 'ipsec tunnel', 'ipsec user', 'key agreement'],
  ...['key encipherment', 'microsoft sgc', 'netscape sgc', 'ocsp signing', 's/mime', 'server auth', 'signing', 'timestamping'],
]

const longestDomain = 253
const longestPath = 253 + 63 + 1

function signerErrors(name: string | undefined, path: Path): FieldError[] {
  if (!name) return [required(path)]
  if (name === 'kubernetes.io/legacy-unknown') return [invalid(path, name, 'the legacy signerName is not allowed via this API version')]
  const [domain = '', last = '', ...rest] = name.split('/')
  if (rest.length > 0 || !name.includes('/')) {
    return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
  }
  const labels = domain.split('.')
  return [
    ...(domain.length > longestDomain ? [tooLong(path, longestDomain)] : []),
    ...labelErrors(domain, isDns1123Label, path),
    ...(labels.length < 2 ? [invalid(path, domain, 'should be a domain with at least two segments separated by dots')] : []),
    ...labelErrors(last, isDns1123Subdomain, path),
    ...(name.length > longestDomain + longestPath + 1 ? [tooLong(path, longestDomain + longestPath + 1)] : []),
  ]
}

/** Of several bad labels the first is told of. */
function labelErrors(segment: string, check: (label: string) => string[], path: Path): FieldError[] {
  const label = segment.split('.').find((one) => check(one).length > 0)
  if (label === undefined) return []
  return check(label).map((text) => invalid(path, segment, `validating label ${JSON.stringify(label)}: ${text}`))
}
