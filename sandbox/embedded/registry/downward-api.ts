import type { ObjectFieldSelector, ResourceFieldSelector } from '../schema/types/core.v1.ts'
import { type FieldError, invalid, notSupported, type Path, required } from './field.ts'
import { isQualifiedName } from './names.ts'

/** A field of the pod that the downward API gives; labels and annotations are named with their key. */
export function validateFieldPath({ fieldPath, apiVersion }: ObjectFieldSelector, supported: readonly string[], path: Path): FieldError[] {
  const at = path.child('fieldPath')
  if (!apiVersion) return [required(path.child('apiVersion'))]
  if (!fieldPath) return [required(at)]
  if (apiVersion !== 'v1') return [invalid(at, fieldPath, `error converting fieldPath: unsupported pod version: ${apiVersion}`)]
  const subscript = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(fieldPath)
  if (subscript) return isQualifiedName((subscript[2] ?? '').toLowerCase()).map((text) => invalid(at, subscript[2], text))
  if (supported.includes(fieldPath)) return []
  if (podFields.includes(fieldPath)) return [notSupported(at, fieldPath, supported)]
  return [invalid(at, fieldPath, `error converting fieldPath: field label not supported: ${fieldPath}`)]
}

/** A container's request or limit, asked for by itself (`inVolume` false) or from a file of the pod, which must say whose. */
export function validateResourceField(field: ResourceFieldSelector, path: Path, inVolume: boolean): FieldError[] {
  const { containerName, resource = '', divisor } = field
  const errors: FieldError[] = []
  const known = containerResources.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource)
  if (inVolume && !containerName) errors.push(required(path.child('containerName')))
  else if (!resource) errors.push(required(path.child('resource')))
  else if (!known) errors.push(notSupported(path.child('resource'), resource, containerResources))
  if (divisor === undefined || divisor === '0' || !known) return errors
  const name = resource
    .replace(/^\w+\./, '')
    .replace(/^hugepages-.*/, 'hugepages')
    .replace('ephemeral-storage', 'local ephemeral storage')
  const allowed = name === 'cpu' ? ['1m', '1'] : units
  if (allowed.includes(String(divisor))) return errors
  const list = name === 'cpu' ? '1m and 1' : units.join(', ')
  return [...errors, invalid(path.child('divisor'), resource, `only divisor's values ${list} are supported with the ${name} resource`)]
}

/** Fields that the API can select pods by, and yet does not hand to containers. */
const podFields = [
  'metadata.annotations',
  'metadata.labels',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.hostNetwork',
  'status.phase',
  'status.nominatedNodeName',
]
const containerResources = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
]
const units = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']
