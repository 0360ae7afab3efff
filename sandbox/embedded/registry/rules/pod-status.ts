import { isIP } from 'node:net'
import type { ContainerStatus, Pod, PodSpec } from '../../schema/types/core.v1.ts'
import { ipErrors } from '../addresses.ts'
import { type FieldError, forbidden, invalid, Path } from '../field.ts'
import { validateImmutable, validateSubdomain } from '../metadata.ts'
import { isQualifiedName } from '../names.ts'

const path = new Path('status')
const systemConditions = ['PodScheduled', 'Ready', 'Initialized']

/** What is wrong with a pod's new status. Source: ValidatePodStatusUpdate in pkg/apis/core/validation. */
export function validatePodStatus({ status = {} }: Pod, old: Pod): FieldError[] {
  const before = old.status ?? {}
  const spec = old.spec as PodSpec
  const conditions = (status.conditions ?? []).flatMap(({ type = '', observedGeneration = 0 }, index) => {
    const at = path.child('conditions').index(index)
    return [
      ...(observedGeneration < 0 ? [invalid(at.child('observedGeneration'), observedGeneration, 'must be a non-negative integer')] : []),
      ...(systemConditions.includes(type) ? [] : isQualifiedName(type).map((text) => invalid(at.child('Type'), type, text))),
    ]
  })
  const { nominatedNodeName: nominated, observedGeneration = 0 } = status
  const isNominated = nominated && nominated !== before.nominatedNodeName
  const containers = new Set(spec.containers?.map(({ name }) => name))
  const isThere = ({ name }: ContainerStatus) => containers.has(name)
  const late = 'may not be set on pods that are already bound to a node'
  return [
    ...conditions,
    ...(isNominated ? validateSubdomain(nominated, path.child('nominatedNodeName')) : []),
    ...(isNominated && spec.nodeName ? [forbidden(path.child('nominatedNodeName'), late)] : []),
    ...(observedGeneration < 0 ? [invalid(path.child('observedGeneration'), observedGeneration, 'must be a non-negative integer')] : []),
    ...validateImmutable(status.qosClass ?? '', before.qosClass ?? '', path.child('qosClass')),
    ...revived(
      status.containerStatuses,
      before.containerStatuses,
      'containerStatuses',
      (container) => isThere(container) && mayRestart(container, spec),
    ),
    ...revived(status.initContainerStatuses, before.initContainerStatuses, 'initContainerStatuses', (container) =>
      mayRestartInit(container, spec),
    ),
    ...revived(status.ephemeralContainerStatuses, before.ephemeralContainerStatuses, 'ephemeralContainerStatuses', () => false),
    ...addressErrors(status.podIPs ?? [], before.podIPs ?? [], 'podIPs'),
    ...(status.hostIPs?.[0] && (status.hostIP ?? '') !== status.hostIPs[0].ip
      ? [invalid(path.child('hostIPs').index(0).child('ip'), status.hostIPs[0].ip, 'must be equal to `hostIP`')]
      : []),
    ...addressErrors(status.hostIPs ?? [], before.hostIPs ?? [], 'hostIPs'),
  ]
}

/** Containers that have ended and are said to run again, and may not. */
function revived(
  statuses: readonly ContainerStatus[] = [],
  before: readonly ContainerStatus[] = [],
  field: string,
  mayRun: (container: ContainerStatus) => boolean,
): FieldError[] {
  const byName = new Map(statuses.map((status) => [status.name, status]))
  return before.flatMap((container, index) => {
    const now = byName.get(container.name)
    if (!container.state?.terminated || !now || now.state?.terminated || mayRun(container)) return []
    return [forbidden(path.child(field).index(index).child('state'), 'may not be transitioned to non-terminated state')]
  })
}

function mayRestart({ state }: ContainerStatus, { restartPolicy }: PodSpec): boolean {
  return restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && (state?.terminated?.exitCode ?? 0) !== 0)
}

function mayRestartInit(container: ContainerStatus, spec: PodSpec): boolean {
  return mayRestart(container, spec) || spec.initContainers?.find(({ name }) => name === container.name)?.restartPolicy === 'Always'
}

/** Addresses that were there before may be as wrong as they are. */
function addressErrors(addresses: readonly { ip?: string }[], before: readonly { ip?: string }[], field: string): FieldError[] {
  const at = path.child(field)
  const known = new Set(before.map(({ ip = '' }) => ip))
  const errors = addresses.flatMap(({ ip = '' }, index) => (known.has(ip) ? [] : ipErrors(ip, at.index(index))))
  if (addresses.length < 2) return errors
  const families = new Set(addresses.map(({ ip = '' }) => isIP(ip)))
  if (addresses.length === 2 && families.size === 2) return errors
  const shown = addresses.map(({ ip = '' }) => ({ IP: ip }))
  return [...errors, invalid(at, shown, 'may specify no more than one IP for each IP family')]
}
