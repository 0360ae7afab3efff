import { compiled } from '../../cel/compiled.ts'
import { Environment } from '../../cel/environment.ts'
import { mapOf, struct, types } from '../../cel/types.ts'
import type { ObjectMeta } from '../../schema/types/meta.v1.ts'
import type {
  DeviceClaim,
  DeviceClass,
  DeviceConfiguration,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  DeviceToleration,
  ExactDeviceRequest,
  OpaqueDeviceConfiguration,
  ResourceClaim,
  ResourceClaimSpec,
  ResourceClaimTemplate,
} from '../../schema/types/resource.v1.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, type Path, required, specPath, tooLong, tooMany } from '../field.ts'
import { validateAnnotations, validateEnum, validateImmutable, validateLabels, validateSubdomain } from '../metadata.ts'
import { isCIdentifier, isDns1123Label, isLabelValue } from '../names.ts'
import { qualified } from '../pod-placement.ts'
import type { CreateContext } from '../resource-info.ts'
import { validateCsiDriverName } from '../volume-sources.ts'
import { claimStatusErrors } from './claim-status.ts'

// pkg/apis/resource: defaults, strategies and validation; the features that a 1.34 server has switched off are dropped.

export const resourceClaimRules: Partial<Definition<ResourceClaim>> = {
  default: ({ spec }) => defaultDevices(spec),
  prepareForCreate: ({ spec }) => dropDisabled(spec),
  prepareForUpdate: ({ spec }) => dropDisabled(spec),
  // of features that are switched off
  prepareForStatusUpdate({ status }) {
    delete status?.allocation?.allocationTimestamp
    for (const result of status?.allocation?.devices?.results ?? []) {
      for (const field of ['bindingConditions', 'bindingFailureConditions', 'consumedCapacity', 'shareID'] as const) delete result[field]
    }
  },
  validateStatus: claimStatusErrors,
  validate: ({ spec }) => claimErrors(spec?.devices, specPath.child('devices')),
  validateCreate: ({ spec }, context) => adminErrors(spec, context),
  validateChange: ({ spec }, old) => validateImmutable(spec, old.spec, specPath, 'resource.v1.ResourceClaimSpec'),
}

export const resourceClaimTemplateRules: Partial<Definition<ResourceClaimTemplate>> = {
  default: ({ spec }) => defaultDevices(spec?.spec),
  prepareForCreate: ({ spec }) => dropDisabled(spec?.spec),
  prepareForUpdate: ({ spec }) => dropDisabled(spec?.spec),
  validate: ({ spec }) => [
    ...templateMetadataErrors(spec?.metadata ?? {}, specPath.child('metadata')),
    ...claimErrors(spec?.spec?.devices, specPath.child('spec', 'devices')),
  ],
  validateCreate: ({ spec }, context) => adminErrors(spec?.spec, context),
  validateChange: ({ spec }, old) => validateImmutable(spec, old.spec, specPath, 'resource.v1.ResourceClaimTemplateSpec'),
}

export const deviceClassRules: Partial<Definition<DeviceClass>> = {
  prepareForCreate({ spec }) {
    delete spec?.extendedResourceName
  },
  prepareForUpdate({ spec }) {
    delete spec?.extendedResourceName
  },
  validate: ({ spec }) => [
    ...each(spec?.selectors, most.selectors, specPath.child('selectors'), selectorErrors),
    ...each(spec?.config, most.config, specPath.child('config'), configurationErrors),
  ],
}

const most = { requests: 32, constraints: 32, config: 32, selectors: 32, subrequests: 8, expression: 10 * 1024, parameters: 10 * 1024 }

/** One device of each that is asked for, and of tolerations the plain comparison. */
function defaultDevices(spec: ResourceClaimSpec | undefined): void {
  for (const request of requestsOf(spec)) {
    request.allocationMode ??= 'ExactCount'
    if (request.allocationMode === 'ExactCount') request.count ??= 1
    for (const toleration of request.tolerations ?? []) toleration.operator ??= 'Equal'
  }
}

function dropDisabled(spec: ResourceClaimSpec | undefined): void {
  for (const request of requestsOf(spec)) delete request.capacity
}

function requestsOf(spec: ResourceClaimSpec | undefined): (ExactDeviceRequest | DeviceSubRequest)[] {
  return (spec?.devices?.requests ?? []).flatMap(({ exactly, firstAvailable }) => [
    ...(exactly ? [exactly] : []),
    ...(firstAvailable ?? []),
  ])
}

const adminLabel = 'resource.kubernetes.io/admin-access'

/** Devices that others use are to be had only in namespaces that are meant for that. */
function adminErrors(spec: ResourceClaimSpec | undefined, { namespaceLabels }: CreateContext): FieldError[] {
  const index = (spec?.devices?.requests ?? []).findIndex(({ exactly }) => exactly?.adminAccess)
  if (index < 0 || namespaceLabels()[adminLabel] === 'true') return []
  const why = `admin access to devices requires the \`${adminLabel}: true\` label on the containing namespace`
  return [forbidden(specPath.child('devices', 'requests').index(index).child('adminAccess'), why)]
}

function templateMetadataErrors(metadata: ObjectMeta, path: Path): FieldError[] {
  const { annotations, labels, ...others } = metadata
  return [
    ...validateAnnotations(annotations, path.child('annotations')),
    ...validateLabels(labels, path.child('labels')),
    ...Object.entries(others)
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .map(([name]) => forbidden(path.child(name), 'cannot be set')),
  ]
}

function claimErrors(claim: DeviceClaim | undefined, path: Path): FieldError[] {
  const names = new Map((claim?.requests ?? []).map(({ name, firstAvailable }) => [name, (firstAvailable ?? []).map((sub) => sub.name)]))
  return [
    ...each(claim?.requests, most.requests, path.child('requests'), requestErrors),
    ...repeated(
      (claim?.requests ?? []).map(({ name }) => name),
      path.child('requests'),
      'name',
    ),
    ...each(claim?.constraints, most.constraints, path.child('constraints'), (one, at) => constraintErrors(one, names, at)),
    ...each(claim?.config, most.config, path.child('config'), (one, at) => [
      ...referenceErrors(one.requests, names, at.child('requests')),
      ...configurationErrors(one, at),
    ]),
  ]
}

function requestErrors({ name = '', exactly, firstAvailable }: DeviceRequest, path: Path): FieldError[] {
  const errors = nameErrors(name, path.child('name'))
  const alternatives = firstAvailable ?? []
  const at = path.child('firstAvailable')
  errors.push(
    ...each(alternatives, most.subrequests, at, (one, place) => [
      ...nameErrors(one.name ?? '', place.child('name')),
      ...askErrors(one, place),
    ]),
    ...repeated(
      alternatives.map((one) => one.name),
      at,
      'name',
    ),
  )
  if (exactly) errors.push(...askErrors(exactly, path.child('exactly')))
  const one = 'exactly one of `exactly` or `firstAvailable` is required'
  if (!exactly && alternatives.length === 0) errors.push(required(path, one))
  if (exactly && alternatives.length > 0) errors.push(invalid(path, null, `${one}, but multiple fields are set`))
  return errors
}

function askErrors(request: ExactDeviceRequest | DeviceSubRequest, path: Path): FieldError[] {
  const { deviceClassName = '', selectors, allocationMode = '', count = 0, tolerations } = request
  const at = path.child('deviceClassName')
  return [
    ...(deviceClassName ? validateSubdomain(deviceClassName, at) : [required(at)]),
    ...each(selectors, most.selectors, path.child('selectors'), selectorErrors),
    ...modeErrors(allocationMode, count, path),
    ...(tolerations ?? []).flatMap((toleration, index) => tolerationErrors(toleration, path.child('tolerations').index(index))),
  ]
}

function modeErrors(mode: string, count: number, path: Path): FieldError[] {
  const at = path.child('count')
  if (mode === 'All') return count === 0 ? [] : [invalid(at, count, "must not be specified when allocationMode is 'All'")]
  if (mode === 'ExactCount') return count > 0 ? [] : [invalid(at, count, 'must be greater than zero')]
  return [notSupported(path.child('allocationMode'), mode, ['All', 'ExactCount'])]
}

function tolerationErrors({ key, operator = '', value = '', effect }: DeviceToleration, path: Path): FieldError[] {
  const errors = key ? qualified(key, path.child('key')) : []
  const at = path.child('value')
  if (operator === 'Exists') errors.push(...(value ? [invalid(at, value, 'must be empty for operator `Exists`')] : []))
  else if (operator === 'Equal') errors.push(...isLabelValue(value).map((text) => invalid(at, value, text)))
  else if (operator === '') errors.push(required(path.child('operator')))
  else errors.push(notSupported(path.child('operator'), operator, ['Equal', 'Exists']))
  return effect ? [...errors, ...validateEnum(effect, ['NoExecute', 'NoSchedule'], path.child('effect'))] : errors
}

const domains = mapOf(types.string, mapOf(types.string, types.dyn))
const environment = new Environment(
  { device: struct('kubernetes.DRADevice') },
  {
    structs: new Map([['kubernetes.DRADevice', new Map(Object.entries({ driver: types.string, attributes: domains, capacity: domains }))]]),
  },
)

function selectorErrors({ cel }: DeviceSelector, path: Path): FieldError[] {
  if (!cel) return [required(path.child('cel'))]
  const at = path.child('cel', 'expression')
  const expression = cel.expression ?? ''
  if (expression.length > most.expression) return [tooLong(at, most.expression)]
  const { problem } = compiled(environment, expression, ['bool'], { wrapped: false })
  if (problem === undefined) return []
  return [invalid(at, expression, problem.replace(/^must evaluate to bool but got /, 'must evaluate to bool or the unknown type, not '))]
}

function constraintErrors(constraint: DeviceConstraint, names: ReadonlyMap<string, readonly string[]>, path: Path): FieldError[] {
  const errors = referenceErrors(constraint.requests, names, path.child('requests'))
  const field = (['matchAttribute', 'distinctAttribute'] as const).find((one) => constraint[one] !== undefined)
  const name = field && constraint[field]
  if (field === undefined || name === undefined) return [...errors, required(path.child('matchAttribute'))]
  const at = path.child(field)
  const domain = name === '' || name.includes('/') ? [] : [invalid(at, name, 'must include a domain')]
  return [...errors, ...deviceNameErrors(name, at), ...domain]
}

function referenceErrors(given: readonly string[] | undefined, names: ReadonlyMap<string, readonly string[]>, path: Path): FieldError[] {
  const unknown = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
  return [
    ...each(given, most.requests, path, (name, at) => {
      const [request = '', sub, ...rest] = name.split('/')
      if (rest.length > 0) return [invalid(at, name, unknown)]
      const subs = names.get(request)
      const known = subs !== undefined && (sub === undefined || subs.includes(sub))
      return [...name.split('/').flatMap((part) => nameErrors(part, at)), ...(known ? [] : [invalid(at, name, unknown)])]
    }),
    ...repeated(given ?? [], path),
  ]
}

function configurationErrors({ opaque }: DeviceConfiguration, path: Path): FieldError[] {
  return opaque ? opaqueErrors(opaque, path.child('opaque')) : [required(path.child('opaque'))]
}

function opaqueErrors({ driver, parameters }: OpaqueDeviceConfiguration, path: Path): FieldError[] {
  const at = path.child('parameters')
  const errors = validateCsiDriverName(driver, path.child('driver'))
  const value: unknown = parameters
  if (value === undefined || value === null) return [...errors, required(at)]
  if (JSON.stringify(value).length > most.parameters) return [...errors, tooLong(at, most.parameters)]
  if (typeof value === 'object' && !Array.isArray(value)) return errors
  return [...errors, invalid(at, '<value omitted>', 'must be a valid JSON object')]
}

/** An attribute's or capacity's name, with a driver's domain or without. */
export function deviceNameErrors(name: string, path: Path): FieldError[] {
  if (name === '') return [required(path, 'name required')]
  const parts = name.split('/')
  if (parts.length > 2) return []
  const [id = '', domain] = parts.reverse()
  return [
    ...(domain === undefined ? [] : domain === '' ? [required(path, 'the domain must not be empty')] : validateCsiDriverName(domain, path)),
    ...(id === '' ? [required(path, 'the name must not be empty')] : []),
    ...(id.length > 32 ? [tooLong(path, 32)] : []),
    ...(id === '' ? [] : isCIdentifier(id).map((text) => invalid(path, id, text))),
  ]
}

function nameErrors(name: string, path: Path): FieldError[] {
  return isDns1123Label(name).map((text) => invalid(path, name, text))
}

/** Of each item of a list what is wrong with it, and that there are too many. */
export function each<T>(
  items: readonly T[] | undefined,
  limit: number,
  path: Path,
  check: (item: T, at: Path) => FieldError[],
): FieldError[] {
  const given = items ?? []
  const errors = given.flatMap((item, index) => check(item, path.index(index)))
  return given.length > limit ? [...errors, tooMany(path, given.length, limit)] : errors
}

/** What stands in a list twice. */
export function repeated(keys: readonly string[], path: Path, field = ''): FieldError[] {
  return keys.flatMap((key, index) => (keys.indexOf(key) < index ? [duplicate(path.index(index).child(field), key)] : []))
}
