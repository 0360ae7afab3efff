import { admissionregistration } from './admissionregistration.ts'
import { apiextensions } from './apiextensions.ts'
import { apiregistration } from './apiregistration.ts'
import { apps } from './apps.ts'
import { authentication } from './authentication.ts'
import { authorization } from './authorization.ts'
import { autoscaling } from './autoscaling.ts'
import { batch } from './batch.ts'
import { certificates } from './certificates.ts'
import { coordination } from './coordination.ts'
import { core } from './core.ts'
import { discovery } from './discovery.ts'
import { events } from './events.ts'
import { flowcontrol } from './flowcontrol.ts'
import { networking } from './networking.ts'
import { node } from './node.ts'
import { policy } from './policy.ts'
import { rbac } from './rbac.ts'
import { resource } from './resource.ts'
import type { ResourceInfo } from './resource-info.ts'
import { scheduling } from './scheduling.ts'
import { storage } from './storage.ts'

export type { FieldError } from './field.ts'
export type { CreateContext, GroupVersionKind, ResourceInfo, Verb } from './resource-info.ts'

/** Every kind that a 1.34 API server serves by default, groups in the order in which discovery lists them. */
export const builtInResources: readonly ResourceInfo[] = [
  ...core,
  ...apiregistration,
  ...apps,
  ...events,
  ...authentication,
  ...authorization,
  ...autoscaling,
  ...batch,
  ...certificates,
  ...networking,
  ...policy,
  ...rbac,
  ...storage,
  ...admissionregistration,
  ...apiextensions,
  ...scheduling,
  ...coordination,
  ...node,
  ...discovery,
  ...resource,
  ...flowcontrol,
]

const byKind = new Map(builtInResources.map((info) => [`${info.group}/${info.version}/${info.kind}`, info]))

export function findKind(group: string, version: string, kind: string): ResourceInfo | undefined {
  return byKind.get(`${group}/${version}/${kind}`)
}
