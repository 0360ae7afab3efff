import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import { parseFieldSelector, parseLabelSelector } from '../machinery/selectors.ts'
import { type FieldError, forbidden, invalid, Path, required } from '../registry/field.ts'
import { goShape } from '../registry/go-shape.ts'
import { validateLabelSelectorRequirement } from '../registry/metadata.ts'
import type {
  FieldSelectorAttributes,
  LabelSelectorAttributes,
  LocalSubjectAccessReview,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SubjectAccessReview,
} from '../schema/types/authorization.v1.ts'

type AccessReview = SelfSubjectAccessReview | SubjectAccessReview | LocalSubjectAccessReview

/** What makes a question about access none (pkg/apis/authorization/validation). */
export function accessReviewErrors(review: AccessReview): FieldError[] {
  const { spec } = review
  const path = new Path('spec')
  const { resourceAttributes, nonResourceAttributes } = spec
  const errors: FieldError[] = []
  const shownPath = goShape(nonResourceAttributes, 'authorization.v1.NonResourceAttributes')
  if (resourceAttributes && nonResourceAttributes) {
    errors.push(invalid(path.child('nonResourceAttributes'), shownPath, 'cannot be specified in combination with resourceAttributes'))
  }
  if (!resourceAttributes && !nonResourceAttributes) {
    const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified'
    errors.push(invalid(path.child('resourceAttributes'), null, why))
  }
  if (!isSelf(review) && !review.spec.user && !review.spec.groups?.length) {
    errors.push(invalid(path.child('user'), review.spec.user ?? '', 'at least one of user or group must be specified'))
  }
  if (resourceAttributes) errors.push(...selectorErrors(resourceAttributes, path.child('resourceAttributes')))
  const isLocal = review.kind === 'LocalSubjectAccessReview'
  const { managedFields: _, namespace = '', ...metadata } = review.metadata
  if (Object.values({ ...metadata, ...(isLocal ? {} : { namespace }) }).some((value) => value !== '')) {
    errors.push(invalid(new Path('metadata'), review.metadata, isLocal ? 'must be empty except for namespace' : 'must be empty'))
  }
  if (!isLocal) return errors
  if (resourceAttributes && (resourceAttributes.namespace ?? '') !== namespace) {
    const asked = resourceAttributes.namespace ?? ''
    errors.push(invalid(path.child('resourceAttributes', 'namespace'), asked, 'must match metadata.namespace'))
  }
  if (nonResourceAttributes) {
    errors.push(invalid(path.child('nonResourceAttributes'), shownPath, 'disallowed on this kind of request'))
  }
  return errors
}

/** What of the selectors an authorizer can't make use of, as the answer's evaluationError says it. */
export function selectorFaults({ fieldSelector, labelSelector }: ResourceAttributes): string[] {
  return [...faultOf('fieldSelector', fieldFaults(fieldSelector)), ...faultOf('labelSelector', labelFaults(labelSelector))]
}

function isSelf(review: KubeObject): review is SelfSubjectAccessReview {
  return review.kind === 'SelfSubjectAccessReview'
}

function selectorErrors({ fieldSelector, labelSelector }: ResourceAttributes, path: Path): FieldError[] {
  return [
    ...(fieldSelector ? attributeErrors(fieldSelector, path.child('fieldSelector')) : []),
    ...(fieldSelector?.requirements ?? []).flatMap(({ key, operator, values }, index) => {
      const at = path.child('fieldSelector', 'requirements').index(index)
      const count = values?.length ?? 0
      const needed = ['In', 'NotIn'].includes(operator) && count === 0
      const barred = ['Exists', 'DoesNotExist'].includes(operator) && count > 0
      return [
        ...(key ? [] : [required(at.child('key'), 'must be specified')]),
        ...(needed ? [required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'")] : []),
        ...(barred ? [forbidden(at.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")] : []),
      ]
    }),
    ...(labelSelector ? attributeErrors(labelSelector, path.child('labelSelector')) : []),
    ...(labelSelector?.requirements ?? []).flatMap((requirement, index) =>
      validateLabelSelectorRequirement(requirement, path.child('labelSelector', 'requirements').index(index), true),
    ),
  ]
}

function attributeErrors({ rawSelector, requirements }: FieldSelectorAttributes | LabelSelectorAttributes, path: Path): FieldError[] {
  if (rawSelector && requirements?.length) {
    return [invalid(path.child('rawSelector'), rawSelector, 'may not specified at the same time as requirements')]
  }
  if (rawSelector || requirements?.length) return []
  return [required(path.child('requirements'), `when ${path} is specified, requirements or rawSelector is required`)]
}

/** How many requirements can be used and how many can't. */
interface Usable {
  good: number
  bad: number
}

function fieldFaults(selector: FieldSelectorAttributes | undefined): Usable {
  if (selector?.rawSelector) return parsed(() => parseFieldSelector(selector.rawSelector ?? ''))
  const requirements = selector?.requirements ?? []
  const good = requirements.filter(({ operator, values }) => ['In', 'NotIn'].includes(operator) && values?.length === 1).length
  return { good, bad: requirements.length - good }
}

function labelFaults(selector: LabelSelectorAttributes | undefined): Usable {
  if (selector?.rawSelector) return parsed(() => parseLabelSelector(selector.rawSelector ?? ''))
  const requirements = selector?.requirements ?? []
  const good = requirements.filter(({ operator }) => ['In', 'NotIn', 'Exists', 'DoesNotExist'].includes(operator)).length
  return { good, bad: requirements.length - good }
}

function parsed(parse: () => unknown): Usable {
  try {
    parse()
    return { good: 1, bad: 0 }
  } catch (error) {
    if (error instanceof ApiError) return { good: 0, bad: 1 }
    throw error
  }
}

function faultOf(name: string, { good, bad }: Usable): string[] {
  if (bad === 0) return []
  return [`spec.resourceAttributes.${name} ${good > 0 ? 'partially ' : ''}ignored due to parse error`]
}
