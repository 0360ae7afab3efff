import { copyOf } from '../machinery/copy.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import { atOnce, type Pieces } from '../machinery/pieces.ts'
import { allButMetadataAndStatus, ofStatus } from '../registry/define.ts'
import type { FieldError } from '../registry/field.ts'
import { validateObjectMeta, validateObjectMetaUpdate } from '../registry/metadata.ts'
import { dnsSubdomain } from '../registry/names.ts'
import type { Conversion, ResourceInfo, Strategy, SubresourceInfo, Verb } from '../registry/resource-info.ts'
import { type Decoded, decodeObject, TypeMismatch } from '../schema/decode.ts'
import { partAsJson } from '../schema/go-empty.ts'
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
  JSONSchemaProps,
} from '../schema/types/apiextensions.v1.ts'
import { wireTypeOf } from '../schema/wire.ts'
import { jsonPath } from './jsonpath.ts'
import { hasRules, validateRules } from './rules.ts'
import { isObject, prune, setDefaults } from './schema.ts'
import { invalidBody, typeName, validateListTypes, validateSchema } from './validate.ts'

/**
 * The kinds that a CustomResourceDefinition serves, one for each version, as the API server uses them. `webhook` converts
 * between versions that differ in more than their names.
 */
export function customResources({ spec }: CustomResourceDefinition, webhook?: Conversion['webhook']): ResourceInfo[] {
  const { group, names } = spec
  const storage = spec.versions.find((version) => version.storage)?.name ?? (spec.versions[0]?.name as string)
  return spec.versions
    .filter((version) => version.served)
    .map((version) => ({
      group,
      version: version.name,
      kind: names.kind,
      listKind: names.listKind || `${names.kind}List`,
      resource: names.plural,
      singular: names.singular || names.kind.toLowerCase(),
      shortNames: names.shortNames ?? [],
      categories: names.categories ?? [],
      namespaced: spec.scope === 'Namespaced',
      verbs: customVerbs,
      subresources: subresourcesOf(names.kind, version),
      storage: { group, version: storage, resource: names.plural },
      resetFields: version.subresources?.status ? ofStatus : {},
      conversion: { ...conversion(group, storage, version), ...(webhook ? { webhook } : {}) },
      strategy: strategyOf(version, spec.scope === 'Namespaced'),
      decode: decoder(schemaOf(version)),
      definition: version,
    }))
}

/** In the order of customresource_discovery_controller.go, which discovery shows. */
const customVerbs: readonly Verb[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']

function schemaOf(version: CustomResourceDefinitionVersion): JSONSchemaProps {
  return version.schema?.openAPIV3Schema ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
}

function subresourcesOf(kind: string, { subresources }: CustomResourceDefinitionVersion): SubresourceInfo[] {
  const verbs = ['get', 'patch', 'update'] as const
  return [
    ...(subresources?.status ? [{ name: 'status', kind, verbs }] : []),
    ...(subresources?.scale ? [{ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs }] : []),
  ]
}

/**
 * Objects are stored in the version that stores when they are written. What is read follows the schema as it is now: fields
 * that it no longer has are gone, defaults that it has since are there.
 */
function conversion(group: string, storage: string, version: CustomResourceDefinitionVersion): Conversion {
  const schema = schemaOf(version)
  return {
    toStorage: (object) => ({ ...object, apiVersion: `${group}/${storage}` }),
    fromStorage: (object) => {
      const { apiVersion: _version, kind, metadata, ...rest } = object
      const body = copyOf(rest) as Record<string, unknown>
      prune(body, schema)
      const read = { apiVersion: `${group}/${version.name}`, kind, metadata, ...body } as KubeObject
      applyDefaults(read, schema)
      return read
    },
  }
}

/** Metadata goes by its Go type, the rest by the schema. */
function decoder(schema: JSONSchemaProps): NonNullable<ResourceInfo['decode']> {
  const metadataType = wireTypeOf('v1', 'ConfigMap')
  if (!metadataType) throw new Error('the wire form of ConfigMap is missing')
  return ({ apiVersion, kind, metadata, ...rest }) => {
    const head = decodedHead({ apiVersion, kind, ...(metadata === undefined ? {} : { metadata }) }, metadataType)
    if (isObject(head.object['metadata'])) head.object['metadata'] = partAsJson(head.object['metadata'], 'meta.v1.ObjectMeta')
    const object = { ...head.object, ...copyOf(rest) }
    const { apiVersion: _version, kind: _kind, metadata: _metadata, ...body } = object as Record<string, unknown>
    const unknown = prune(body, schema)
    return { object: { ...head.object, ...body }, unknown: [...head.unknown, ...unknown] }
  }
}

/** Metadata is read by itself, so that a mismatch is told from there on. */
function decodedHead(head: Record<string, unknown>, type: string): Decoded {
  try {
    return decodeObject(head, type)
  } catch (error) {
    if (!(error instanceof TypeMismatch)) throw error
    throw new TypeMismatch(error.message.replace('ObjectMeta.metadata.', 'ObjectMeta.'), { cause: error })
  }
}

function strategyOf(version: CustomResourceDefinitionVersion, namespaced: boolean): Strategy {
  const schema = schemaOf(version)
  const hasStatus = version.subresources?.status !== undefined
  function* validateUpdate(object: KubeObject, old: KubeObject): Pieces<FieldError[]> {
    const errors = validateObjectMetaUpdate(object.metadata, old.metadata)
    return [...errors, ...(yield* validateBody(version, schema, object, old))]
  }
  const strategy: Strategy = {
    default: (object) => applyDefaults(object, schema),
    prepareForCreate(object) {
      if (hasStatus) delete (object as Custom).status
    },
    prepareForUpdate(object, old) {
      if (hasStatus) copyStatus(object, old)
    },
    prepareForStatusUpdate(object, old) {
      const status = (object as Custom).status
      const kept = copyOf(old) as Custom
      for (const key of Object.keys(object)) if (key !== 'metadata') delete (object as unknown as Record<string, unknown>)[key]
      const { metadata, ...rest } = kept
      Object.assign(object, rest)
      object.metadata = {
        ...metadata,
        resourceVersion: object.metadata.resourceVersion,
        managedFields: object.metadata.managedFields,
      } as never
      if (status === undefined) delete (object as Custom).status
      else (object as Custom).status = status
    },
    *validateCreate(object) {
      const errors = validateObjectMeta(object.metadata, namespaced, dnsSubdomain)
      return [...errors, ...(yield* validateBody(version, schema, object))]
    },
    validateUpdate,
    validateStatusUpdate: validateUpdate,
    fieldSelectors: Object.fromEntries(
      (version.selectableFields ?? []).map(({ jsonPath: path }) => [
        path.replace(/^\./, ''),
        (object) => String(jsonPath(path, object)[0] ?? ''),
      ]),
    ),
    warnings: (object, old) => [
      ...(version.deprecated && version.deprecationWarning ? [version.deprecationWarning] : []),
      // An update may leave as it was what a rule would not let in.
      ...(old && hasRules(schema) ? ruleWarnings(schema, object, old) : []),
    ],
    allowCreateOnUpdate: false,
    allowUnconditionalUpdate: false,
    tracksGeneration: true,
    countsEmpty: false,
    sharesSpec: false,
    firstGeneration: 1,
    counted: hasStatus ? allButMetadataAndStatus : allButMetadata,
  }
  return strategy
}

/** Where the status is no resource of its own it is a field as any other. */
function allButMetadata(object: KubeObject): unknown {
  const { metadata: _, ...rest } = object
  return rest
}

function applyDefaults(object: KubeObject, schema: JSONSchemaProps): void {
  setDefaults(object, { ...schema, properties: withoutHead(schema.properties) })
}

type Custom = KubeObject & { status?: unknown }

/** A schema says nothing that counts of apiVersion and kind, and of metadata only what names may look like. */
function withoutHead(properties: Record<string, JSONSchemaProps> | undefined): Record<string, JSONSchemaProps> {
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...rest } = properties ?? {}
  return rest
}

function copyStatus(object: KubeObject, old: KubeObject): void {
  const status = (old as Custom).status
  if (status === undefined) delete (object as Custom).status
  else (object as Custom).status = copyOf(status)
}

function* validateBody(
  version: CustomResourceDefinitionVersion,
  schema: JSONSchemaProps,
  object: KubeObject,
  old?: KubeObject,
): Pieces<FieldError[]> {
  const errors = [
    ...validateSchema(object, schema, '', old),
    ...scaleErrors(version, object),
    // Lists that had entries twice before may go on to.
    ...(old && validateListTypes(old, schema).length > 0 ? [] : validateListTypes(object, schema)),
  ]
  if (!hasRules(schema)) return errors
  if (errors.some((error) => blocking.has(error.reason))) return [...errors, invalidBody('', null, notChecked)]
  const verdict = yield* validateRules(schema, object, old)
  verdicts.set(object, { schema, old, warnings: verdict.warnings })
  return [...errors, ...verdict.errors]
}

/** What the rules had to say of drafts: they are asked for it when their errors have been told, and computing it may take long. */
const verdicts = new WeakMap<KubeObject, { schema: JSONSchemaProps; old: KubeObject | undefined; warnings: string[] }>()

function ruleWarnings(schema: JSONSchemaProps, object: KubeObject, old: KubeObject): string[] {
  const known = verdicts.get(object)
  return known?.schema === schema && known.old === old ? known.warnings : atOnce(validateRules(schema, object, old)).warnings
}

const blocking = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
])
const notChecked =
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'

/** The replicas that the scale subresource will read must be numbers, the selector a text. */
function scaleErrors({ subresources }: CustomResourceDefinitionVersion, object: KubeObject): FieldError[] {
  return [...replicaErrors(subresources?.scale, object), ...selectorErrors(subresources?.scale?.labelSelectorPath, object)]
}

function selectorErrors(path: string | undefined, object: KubeObject): FieldError[] {
  const problem = path && accessorProblem(path.replace(/^\./, '').split('.'), object, 'string')
  return path && problem ? [invalidBody(path, '', `${path} accessor error: ${problem}`)] : []
}

function replicaErrors(scale: CustomResourceSubresourceScale | undefined, object: KubeObject): FieldError[] {
  const paths = scale ? [scale.specReplicasPath, scale.statusReplicasPath] : []
  return paths.flatMap((path) => {
    const names = path.replace(/^\./, '').split('.')
    const problem = accessorProblem(names, object)
    if (problem) return [invalidBody(path, 0, `${path} accessor error: ${problem}`)]
    const count = Number(names.reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined | null)?.[name], object) ?? 0)
    if (count < 0) return [invalidBody(path, count, 'should be a non-negative integer')]
    return count > mostReplicas ? [invalidBody(path, count, `should be less than or equal to ${mostReplicas}`)] : []
  })
}

const mostReplicas = 2147483647

function accessorProblem(names: readonly string[], object: unknown, wanted: 'integer' | 'string' = 'integer'): string | undefined {
  let value = object
  for (const name of names) {
    if (value === undefined || value === null) return undefined
    if (!isObject(value)) return `${String(value)} is of the type ${goType(value)}, expected map[string]interface{}`
    value = value[name]
  }
  if (value === undefined || typeName(value) === wanted) return undefined
  return `${String(value)} is of the type ${goType(value)}, expected ${wanted === 'integer' ? 'int64' : 'string'}`
}

function goType(value: unknown): string {
  const names: Record<string, string> = { string: 'string', boolean: 'bool', number: 'float64', integer: 'int64', array: '[]interface {}' }
  return names[typeName(value)] ?? 'map[string]interface {}'
}

/** Where definitions themselves lie. */
export const definitions = resources.customResourceDefinitions
