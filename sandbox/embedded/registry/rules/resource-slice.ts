import type { Device, DeviceAttribute, ResourcePool, ResourceSlice, ResourceSliceSpec } from '../../schema/types/resource.v1.ts'
import type { Definition } from '../define.ts'
import { type FieldError, invalid, type Path, required, specPath, tooLong } from '../field.ts'
import { validateImmutable, validateSubdomain } from '../metadata.ts'
import { isDns1123Label } from '../names.ts'
import { nodeTerm } from '../pod-placement.ts'
import { semanticEqual } from '../semantic-equal.ts'
import { validateCsiDriverName } from '../volume-sources.ts'
import { deviceNameErrors, each, repeated } from './device-claims.ts'

const mostDevices = 128
const mostFacts = 32
const longestValue = 64

/** pkg/apis/resource: strategy and validation of ResourceSlices; the features that a 1.34 server has switched off are dropped. */
export const resourceSliceRules: Partial<Definition<ResourceSlice>> = {
  prepareForCreate: ({ spec }) => dropDisabled(spec),
  prepareForUpdate({ metadata, spec }, old) {
    // what is dropped counts as well
    if (!semanticEqual(spec, old.spec, 'resource.v1.ResourceSliceSpec')) metadata.generation = (old.metadata.generation ?? 0) + 1
    dropDisabled(spec)
  },
  validate({ spec }) {
    const devices = spec?.devices ?? []
    return [
      ...validateCsiDriverName(spec?.driver, specPath.child('driver')),
      ...poolErrors(spec?.pool, specPath.child('pool')),
      ...(spec ? nodeErrors(spec) : []),
      ...each(devices, mostDevices, specPath.child('devices'), deviceErrors),
      ...repeated(
        devices.map(({ name }) => name),
        specPath.child('devices'),
        'name',
      ),
    ]
  },
  validateChange: ({ spec }, old) => [
    ...validateImmutable(spec.pool?.name, old.spec.pool?.name, specPath.child('pool', 'name')),
    ...validateImmutable(spec.driver, old.spec.driver, specPath.child('driver')),
    ...validateImmutable(spec.nodeName, old.spec.nodeName, specPath.child('nodeName')),
  ],
}

const disabledOfSlice = ['sharedCounters', 'perDeviceNodeSelection'] as const
const disabledOfDevice = [
  ...(['taints', 'consumesCounters', 'nodeName', 'nodeSelector', 'allNodes', 'allowMultipleAllocations'] as const),
  ...(['bindingConditions', 'bindingFailureConditions', 'bindsToNode'] as const),
]

function dropDisabled(spec: ResourceSliceSpec | undefined): void {
  if (!spec) return
  for (const field of disabledOfSlice) delete spec[field]
  for (const device of spec.devices ?? []) {
    for (const field of disabledOfDevice) delete device[field]
    for (const capacity of Object.values(device.capacity ?? {})) delete capacity.requestPolicy
  }
}

function poolErrors(pool: ResourcePool | undefined, path: Path): FieldError[] {
  const { name = '', generation = 0, resourceSliceCount = 0 } = pool ?? {}
  const at = path.child('name')
  const named = name.split('/').flatMap((part) => validateSubdomain(part, at))
  return [
    ...(name === '' ? [required(at)] : [...(name.length > 253 ? [tooLong(at, 253)] : []), ...named]),
    ...(resourceSliceCount <= 0 ? [invalid(path.child('resourceSliceCount'), resourceSliceCount, 'must be greater than zero')] : []),
    ...(generation < 0 ? [invalid(path.child('generation'), generation, 'must be greater than or equal to zero')] : []),
  ]
}

/** On which nodes the devices are, said in exactly one way. */
function nodeErrors({ nodeName, nodeSelector, allNodes }: ResourceSliceSpec): FieldError[] {
  const at = (name: string) => specPath.child(name)
  const errors: FieldError[] = []
  if (nodeName === '') errors.push(invalid(at('nodeName'), nodeName, 'must be either unset or set to a non-empty string'))
  else if (nodeName !== undefined) errors.push(...validateSubdomain(nodeName, at('nodeName')))
  if (nodeSelector) {
    const terms = nodeSelector.nodeSelectorTerms ?? []
    const place = at('nodeSelector').child('nodeSelectorTerms')
    if (terms.length === 0) errors.push(required(place, 'must have at least one node selector term'))
    errors.push(...terms.flatMap((term, index) => nodeTerm(term, place.index(index), true)))
    if (terms.length !== 1) errors.push(invalid(place, nodeSelector.nodeSelectorTerms, 'must have exactly one node selector term'))
  }
  if (allNodes === false) errors.push(invalid(at('allNodes'), false, 'must be either unset or set to true'))
  const given = [nodeName && '`nodeName`', nodeSelector && '`nodeSelector`', allNodes && '`allNodes`'].filter(Boolean)
  const one = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required'
  if (given.length === 0) return [...errors, required(specPath, one)]
  return given.length === 1 ? errors : [...errors, invalid(specPath, `{${given.join(', ')}}`, `${one}, but multiple fields are set`)]
}

function deviceErrors({ name = '', attributes = {}, capacity = {} }: Device, path: Path): FieldError[] {
  const facts = Object.keys(attributes).length + Object.keys(capacity).length
  const why = `the total number of attributes and capacities must not exceed ${mostFacts}`
  return [
    ...isDns1123Label(name).map((text) => invalid(path.child('name'), name, text)),
    ...(facts > mostFacts ? [invalid(path, facts, why)] : []),
    ...Object.entries(attributes).flatMap(([key, value]) => {
      const at = path.child('attributes').key(shortened(key))
      return [...deviceNameErrors(key, at), ...attributeErrors(value, at)]
    }),
    ...Object.keys(capacity).flatMap((key) => deviceNameErrors(key, path.child('capacity').key(shortened(key)))),
  ]
}

const number = '(0|[1-9]\\d*)'
const prerelease = '(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)'
const build = '[0-9a-zA-Z-]+'
const semver = new RegExp(`^${number}\\.${number}\\.${number}(-${prerelease}(\\.${prerelease})*)?(\\+${build}(\\.${build})*)?$`)

function attributeErrors({ int, bool, string, version }: DeviceAttribute, path: Path): FieldError[] {
  const errors: FieldError[] = []
  if (string !== undefined && string.length > longestValue) errors.push(tooLong(path.child('string'), longestValue))
  if (version !== undefined && !semver.test(version))
    errors.push(invalid(path.child('version'), version, 'must be a string compatible with semver.org spec 2.0.0'))
  if (version !== undefined && version.length > longestValue) errors.push(tooLong(path.child('version'), longestValue))
  const one = 'exactly one value must be specified'
  const given = [int, bool, string, version].filter((value) => value !== undefined).length
  if (given === 0) return [...errors, required(path, one)]
  const shown = { IntValue: int ?? null, BoolValue: bool ?? null, StringValue: string ?? null, VersionValue: version ?? null }
  return given === 1 ? errors : [...errors, invalid(path, shown, one)]
}

const longestKey = 63 + 1 + 32

/** A key that is too long to show in the path loses its middle. */
function shortened(key: string): string {
  if (key.length <= longestKey) return key
  const rest = longestKey - 3
  return `${key.slice(0, (rest + 1) >> 1)}...${key.slice(key.length - (rest >> 1))}`
}
