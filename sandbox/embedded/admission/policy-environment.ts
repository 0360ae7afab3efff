import { kubernetesTypes } from '../cel/declarations.ts'
import { Environment, type Program, type Structs } from '../cel/environment.ts'
import { type CelType, listOf, mapOf, struct, types } from '../cel/types.ts'

export interface PolicyVariables {
  /** The policy has a paramKind. */
  params: boolean
  /** Not in messages. */
  authorizer: boolean
  /** Of the policy's own, by name; undefined where there are none. */
  composed?: ReadonlyMap<string, CelType> | undefined
  /** What is stored already may use more. */
  stored?: boolean
}

/** What expressions about a request may name: apiserver/pkg/admission/plugin/cel/compile.go. */
export function policyEnvironment(given: PolicyVariables): Environment {
  if (!given.composed) {
    const key = JSON.stringify(given)
    const known = shared.get(key)
    if (known) return known
    const made = environmentOf(given, { object: types.dyn, params: types.dyn }, requestStructs)
    shared.set(key, made)
    return made
  }
  return environmentOf(given, { object: types.dyn, params: types.dyn }, requestStructs)
}

/** The same with types for objects and parameters, against which a policy is only looked at. */
export function typedEnvironment(given: PolicyVariables, typed: { object: CelType; params: CelType }, structs: Structs): Environment {
  const environment = { ...given, stored: true }
  return environmentOf(environment, typed, new Map([...requestStructs, ...structs]), false)
}

/** A variable's type as others see it: what is neither simple nor a collection may be anything. */
export function composedType({ type }: Pick<Program, 'type'>): CelType {
  return plain(type)
}

const shared = new Map<string, Environment>()

function environmentOf(
  { params, authorizer, composed, stored = false }: PolicyVariables,
  typed: { object: CelType; params: CelType },
  structs: Structs,
  withRequestResource = true,
): Environment {
  const variables: Record<string, CelType> = {
    object: typed.object,
    oldObject: typed.object,
    namespaceObject: struct('kubernetes.Namespace'),
    request: struct('kubernetes.AdmissionRequest'),
    ...(params ? { params: typed.params } : {}),
    ...(authorizer ? { authorizer: kubernetesTypes.Authorizer } : {}),
    ...(authorizer && withRequestResource ? { 'authorizer.requestResource': kubernetesTypes.ResourceCheck } : {}),
    ...(composed ? { variables: struct('kubernetes.variables') } : {}),
  }
  const all = composed ? new Map([...structs, ['kubernetes.variables', composed] as const]) : structs
  return new Environment(variables, { structs: all, stored })
}

function plain(type: CelType): CelType {
  const [first = types.dyn, second = types.dyn] = type.params
  if (type.kind === 'list') return listOf(plain(first))
  if (type.kind === 'map') return mapOf(plain(first), plain(second))
  return simple.has(type.kind) ? type : types.dyn
}

const simple: ReadonlySet<string> = new Set(['bool', 'bytes', 'double', 'duration', 'int', 'null', 'string', 'timestamp', 'uint'])

const { bool, dyn, int, string, timestamp } = types
const fields = (given: Record<string, CelType>): ReadonlyMap<string, CelType> => new Map(Object.entries(given))
const texts = listOf(string)

const requestStructs: Structs = new Map([
  ['kubernetes.GroupVersionKind', fields({ group: string, version: string, kind: string })],
  ['kubernetes.GroupVersionResource', fields({ group: string, version: string, resource: string })],
  ['kubernetes.UserInfo', fields({ username: string, uid: string, groups: texts, extra: mapOf(string, texts) })],
  [
    'kubernetes.AdmissionRequest',
    fields({
      kind: struct('kubernetes.GroupVersionKind'),
      resource: struct('kubernetes.GroupVersionResource'),
      subResource: string,
      requestKind: struct('kubernetes.GroupVersionKind'),
      requestResource: struct('kubernetes.GroupVersionResource'),
      requestSubResource: string,
      name: string,
      namespace: string,
      operation: string,
      userInfo: struct('kubernetes.UserInfo'),
      dryRun: bool,
      options: dyn,
    }),
  ],
  ['kubernetes.NamespaceSpec', fields({ finalizers: texts })],
  [
    'kubernetes.NamespaceCondition',
    fields({ status: string, type: string, lastTransitionTime: timestamp, message: string, reason: string }),
  ],
  ['kubernetes.NamespaceStatus', fields({ conditions: listOf(struct('kubernetes.NamespaceCondition')), phase: string })],
  [
    'kubernetes.NamespaceMetadata',
    fields({
      name: string,
      generateName: string,
      namespace: string,
      labels: mapOf(string, string),
      annotations: mapOf(string, string),
      UID: string,
      creationTimestamp: timestamp,
      deletionGracePeriodSeconds: int,
      deletionTimestamp: timestamp,
      generation: int,
      resourceVersion: string,
      finalizers: texts,
    }),
  ],
  [
    'kubernetes.Namespace',
    fields({
      metadata: struct('kubernetes.NamespaceMetadata'),
      spec: struct('kubernetes.NamespaceSpec'),
      status: struct('kubernetes.NamespaceStatus'),
    }),
  ],
])
