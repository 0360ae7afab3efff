import { timestamp } from '../api/object-meta.ts'
import type { Clock } from '../clock.ts'
import { ApiError } from '../machinery/errors.ts'
import type { KubeObject, UserInfo } from '../machinery/object.ts'
import type { FieldError } from '../registry/field.ts'
import type { UserInfo as ReviewedUser, SelfSubjectReview, TokenReview } from '../schema/types/authentication.v1.ts'
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
  SubjectAccessReviewStatus,
} from '../schema/types/authorization.v1.ts'
import { nodeNameOf } from './node-authorizer.ts'
import { type AuthorizationAttributes, type Authorizer, aggregate } from './rbac.ts'
import { accessReviewErrors, selectorFaults } from './review-rules.ts'
import { issuer, type ServiceAccountTokens } from './tokens.ts'

/**
 * The kinds of authentication.k8s.io and authorization.k8s.io that are questions: nothing is stored, the answer is the
 * object with its status.
 */
export class Reviews {
  private readonly authorizer: Authorizer
  private readonly tokens: ServiceAccountTokens
  private readonly clock: Clock

  constructor(authorizer: Authorizer, tokens: ServiceAccountTokens, clock: Clock) {
    this.clock = clock
    this.authorizer = authorizer
    this.tokens = tokens
  }

  /** Whether a resource is answered here instead of stored. */
  handles({ group, resource }: { group: string; resource: string }): boolean {
    return group === 'authentication.k8s.io' || group === 'authorization.k8s.io' ? reviewed.has(resource) : false
  }

  /** Answers a create by `user`. Throws ApiError for a question that makes no sense. */
  create(object: KubeObject, user: UserInfo): KubeObject {
    switch (object.kind) {
      case 'SelfSubjectReview':
        return this.self(user)
      case 'TokenReview':
        return this.token(object as TokenReview)
      case 'SelfSubjectAccessReview': {
        const review = object as SelfSubjectAccessReview
        check(accessReviewErrors(review))
        return { ...review, status: this.decide(review.spec, user) } as SelfSubjectAccessReview
      }
      case 'SubjectAccessReview':
      case 'LocalSubjectAccessReview':
        return this.access(object as SubjectAccessReview | LocalSubjectAccessReview)
      case 'SelfSubjectRulesReview':
        return this.rules(object as SelfSubjectRulesReview, user)
      default:
        throw new Error(`${object.kind} is not a review`)
    }
  }

  /** Made afresh, with nothing of what was sent. */
  private self(user: UserInfo): SelfSubjectReview {
    const metadata = { creationTimestamp: timestamp(this.clock.now()) }
    return { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata, status: { userInfo: shown(user) } }
  }

  private access(review: SubjectAccessReview | LocalSubjectAccessReview): KubeObject {
    const { spec } = review
    check(accessReviewErrors(review))
    const subject: UserInfo = {
      username: spec.user ?? '',
      groups: spec.groups ?? [],
      ...(spec.uid ? { uid: spec.uid } : {}),
    }
    return { ...review, status: this.decide(spec, subject) } as SubjectAccessReview
  }

  private decide({ resourceAttributes, nonResourceAttributes }: SubjectAccessReviewSpec, user: UserInfo): SubjectAccessReviewStatus {
    const attributes: AuthorizationAttributes = resourceAttributes
      ? {
          user,
          verb: resourceAttributes.verb ?? '',
          group: resourceAttributes.group ?? '',
          version: resourceAttributes.version || '*',
          resource: resourceAttributes.resource ?? '',
          subresource: resourceAttributes.subresource ?? '',
          namespace: resourceAttributes.namespace ?? '',
          name: resourceAttributes.name ?? '',
          ...(resourceAttributes.fieldSelector?.rawSelector ? { fieldSelector: resourceAttributes.fieldSelector.rawSelector } : {}),
        }
      : { user, verb: nonResourceAttributes?.verb ?? '', path: nonResourceAttributes?.path ?? '' }
    const { allowed, reason } = this.authorizer.authorize(attributes)
    const faults = resourceAttributes ? selectorFaults(resourceAttributes) : []
    return { allowed, ...(reason ? { reason } : {}), ...(faults.length > 0 ? { evaluationError: faults.join('; ') } : {}) }
  }

  private rules(review: SelfSubjectRulesReview, user: UserInfo): SelfSubjectRulesReview {
    const namespace = review.spec.namespace
    if (!namespace) throw ApiError.badRequest('no namespace on request')
    const { rules, errors } = this.authorizer.rulesFor(user, namespace)
    const isNode = nodeNameOf(user) !== undefined
    const problems = isNode ? ['node authorizer does not support user rule resolution', ...errors] : errors
    const status = {
      resourceRules: rules
        .filter((rule) => rule.resources?.length)
        .map(({ verbs, apiGroups, resources, resourceNames }) => ({
          verbs,
          ...(apiGroups ? { apiGroups } : {}),
          ...(resources ? { resources } : {}),
          ...(resourceNames?.length ? { resourceNames } : {}),
        })),
      nonResourceRules: rules
        .filter((rule) => rule.nonResourceURLs?.length)
        .map(({ verbs, nonResourceURLs }) => ({ verbs, ...(nonResourceURLs ? { nonResourceURLs } : {}) })),
      incomplete: isNode,
      ...(problems.length > 0 ? { evaluationError: aggregate(problems) } : {}),
    }
    // made afresh, without the namespace that was asked about
    return { apiVersion: review.apiVersion, kind: review.kind, metadata: {}, spec: {}, status } as SelfSubjectRulesReview
  }

  private token(review: TokenReview): TokenReview {
    const { token, audiences } = review.spec
    if (!token) throw ApiError.badRequest('token is required for TokenReview in authentication')
    try {
      const known = this.tokens.authenticate(token, audiences?.length ? audiences : [issuer])
      const status = known
        ? { authenticated: true, user: shown(known.user), audiences: known.audiences }
        : { user: {}, error: 'invalid bearer token' }
      return { ...review, status }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return { ...review, status: { user: {}, error: `[invalid bearer token, ${why}]` } }
    }
  }
}

const reviewed = new Set([
  'selfsubjectreviews',
  'tokenreviews',
  'subjectaccessreviews',
  'localsubjectaccessreviews',
  'selfsubjectaccessreviews',
  'selfsubjectrulesreviews',
])

function shown({ username, uid, groups, extra }: UserInfo): ReviewedUser {
  const known = { username, ...(uid ? { uid } : {}), ...(groups.length ? { groups } : {}), ...(extra ? { extra } : {}) }
  return known as unknown as ReviewedUser
}

/** The real server names no kind in these: it asks the object, which has lost its type by then. */
function check(errors: FieldError[]): void {
  if (errors.length > 0) throw ApiError.invalid({ group: 'authorization.k8s.io', kind: '' }, '', errors)
}
