import type { Container, Lifecycle, Probe } from '../schema/types/core.v1.ts'
import type { PodFacts } from './container-validation.ts'
import { type FieldError, forbidden, invalid, type Path, required } from './field.ts'
import { validateEnum, validateNonnegative } from './metadata.ts'
import { isHttpHeaderName, isPortName, isPortNumber } from './names.ts'

/** What a container does at its start and end, and what asks whether it lives. */
export function validateHooksAndProbes(container: Container, path: Path, pod: PodFacts): FieldError[] {
  const errors: FieldError[] = []
  for (const name of ['postStart', 'preStop'] as const) {
    const handler = container.lifecycle?.[name]
    if (handler) errors.push(...validateHandler(handler, path.child('lifecycle', name), pod))
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[name]
    if (probe) errors.push(...validateProbe(probe, name, path.child(name), pod))
  }
  return errors
}

type Handler = NonNullable<Lifecycle['preStop']> & Pick<Probe, 'grpc'>

function validateProbe(probe: Probe, name: 'livenessProbe' | 'readinessProbe' | 'startupProbe', path: Path, pod: PodFacts): FieldError[] {
  const numbers = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const
  const errors = [...validateHandler(probe, path, pod), ...numbers.flatMap((field) => validateNonnegative(probe[field], path.child(field)))]
  const grace = probe.terminationGracePeriodSeconds
  if (grace !== undefined && grace <= 0) errors.push(invalid(path.child('terminationGracePeriodSeconds'), grace, 'must be greater than 0'))
  if (name === 'readinessProbe') {
    if (grace !== undefined) errors.push(invalid(path.child('terminationGracePeriodSeconds'), grace, 'must not be set for readinessProbes'))
  } else if (probe.successThreshold !== 1) {
    errors.push(invalid(path.child('successThreshold'), probe.successThreshold ?? 0, 'must be 1'))
  }
  return errors
}

function validateHandler(handler: Handler, path: Path, pod: PodFacts): FieldError[] {
  const kinds = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter((kind) => handler[kind])
  if (kinds.length === 0) return [required(path, 'must specify a handler type')]
  const errors: FieldError[] = []
  for (const [index, kind] of kinds.entries()) {
    const at = path.child(kind)
    if (index > 0) errors.push(forbidden(at, 'may not specify more than 1 handler type'))
    else if (kind === 'exec' && !handler.exec?.command?.length) errors.push(required(at.child('command')))
    else if (kind === 'httpGet') errors.push(...validateHttpGet(handler, at))
    else if (kind === 'tcpSocket') errors.push(...validatePort(handler.tcpSocket?.port, at.child('port')))
    else if (kind === 'sleep') errors.push(...validateSleep(handler, at, pod))
    else if (kind === 'grpc') errors.push(...validatePort(handler.grpc?.port, at.child('port')))
  }
  return errors
}

function validateSleep({ sleep }: Handler, path: Path, { terminationGracePeriodSeconds: grace }: PodFacts): FieldError[] {
  const seconds = sleep?.seconds ?? 0
  if (grace === undefined || (seconds >= 0 && seconds <= grace)) return []
  return [invalid(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`)]
}

function validateHttpGet({ httpGet }: Handler, path: Path): FieldError[] {
  if (!httpGet) return []
  return [
    ...(httpGet.path ? [] : [required(path.child('path'))]),
    ...validatePort(httpGet.port, path.child('port')),
    ...validateEnum(httpGet.scheme, ['HTTP', 'HTTPS'], path.child('scheme')),
    ...(httpGet.httpHeaders ?? []).flatMap(({ name }) =>
      isHttpHeaderName(name).map((text) => invalid(path.child('httpHeaders'), name, text)),
    ),
  ]
}

/** A port's number or name. */
export function validatePort(port: string | number | undefined, path: Path): FieldError[] {
  const messages = typeof port === 'string' ? isPortName(port) : isPortNumber(port ?? 0)
  return messages.map((text) => invalid(path, port ?? 0, text))
}
