// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { EventSource, ObjectReference } from './core.v1.ts'
import type { ListMeta, ObjectMeta } from './meta.v1.ts'

export interface Event {
  apiVersion: 'events.k8s.io/v1'
  kind: 'Event'
  metadata: ObjectMeta
  eventTime: string
  series?: EventSeries
  reportingController?: string
  reportingInstance?: string
  action?: string
  reason?: string
  regarding?: ObjectReference
  related?: ObjectReference
  note?: string
  type?: string
  deprecatedSource?: EventSource
  deprecatedFirstTimestamp?: string
  deprecatedLastTimestamp?: string
  deprecatedCount?: number
}

export interface EventList {
  apiVersion: 'events.k8s.io/v1'
  kind: 'EventList'
  metadata: ListMeta
  items: Event[]
}

export interface EventSeries {
  count: number
  lastObservedTime: string
}
