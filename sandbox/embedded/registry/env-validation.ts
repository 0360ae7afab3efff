import type { Container, EnvVar } from '../schema/types/core.v1.ts'
import { validateFieldPath, validateResourceField } from './downward-api.ts'
import { type FieldError, invalid, type Path, required } from './field.ts'
import { validateSubdomain } from './metadata.ts'
import { isConfigMapKey, isEnvVarName } from './names.ts'

export function validateEnv(env: EnvVar[], path: Path): FieldError[] {
  return env.flatMap((variable, index) => {
    const at = path.index(index)
    const errors = variable.name
      ? isEnvVarName(variable.name).map((text) => invalid(at.child('name'), variable.name, text))
      : [required(at.child('name'))]
    return [...errors, ...validateValueFrom(variable, at.child('valueFrom'))]
  })
}

export function validateEnvFrom(container: Container, path: Path): FieldError[] {
  return (container.envFrom ?? []).flatMap((source, index) => {
    const at = path.index(index)
    const errors: FieldError[] = []
    if (source.prefix) errors.push(...isEnvVarName(source.prefix).map((text) => invalid(at.child('prefix'), source.prefix, text)))
    for (const name of ['configMapRef', 'secretRef'] as const) {
      const reference = source[name]
      const place = at.child(name, 'name')
      if (reference) errors.push(...(reference.name ? validateSubdomain(reference.name, place) : [required(place)]))
    }
    if (!source.configMapRef && !source.secretRef) errors.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'))
    else if (source.configMapRef && source.secretRef) errors.push(invalid(path, '', 'may not have more than one field specified at a time'))
    return errors
  })
}

/** Fields of the pod that an environment variable may be set from. */
const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]

function validateValueFrom({ value, valueFrom }: EnvVar, path: Path): FieldError[] {
  if (!valueFrom) return []
  const errors: FieldError[] = []
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom
  if (fieldRef) errors.push(...validateFieldPath(fieldRef, envFields, path.child('fieldRef')))
  if (resourceFieldRef) errors.push(...validateResourceField(resourceFieldRef, path.child('resourceFieldRef'), false))
  for (const [name, reference] of Object.entries({ configMapKeyRef, secretKeyRef })) {
    if (!reference) continue
    errors.push(...validateSubdomain(reference.name ?? '', path.child(name, 'name')))
    if (!reference.key) errors.push(required(path.child(name, 'key')))
    else errors.push(...isConfigMapKey(reference.key).map((text) => invalid(path.child(name, 'key'), reference.key, text)))
  }
  const sources = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef].filter(Boolean).length
  if (sources === 0)
    errors.push(invalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'))
  else if (value) errors.push(invalid(path, '', 'may not be specified when `value` is not empty'))
  else if (sources > 1) errors.push(invalid(path, '', 'may not have more than one field specified at a time'))
  return errors
}
