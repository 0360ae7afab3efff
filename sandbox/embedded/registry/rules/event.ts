import type { Event as CoreEvent, EventSeries, ObjectReference } from '../../schema/types/core.v1.ts'
import type { Event } from '../../schema/types/events.v1.ts'
import type { Definition } from '../define.ts'
import { type FieldError, invalid, Path, required } from '../field.ts'
import { validateImmutable, validateSubdomain } from '../metadata.ts'
import { qualified } from '../pod-placement.ts'
import { semanticEqual } from '../semantic-equal.ts'

const longest = 128
const longestNote = 1024

export const coreEventRules: Partial<Definition<CoreEvent>> = {
  metadataChecks: 'later',
  validate: (event) => eventErrors(event, 'reportingComponent'),
  fieldSelectors: {
    ...referenceSelectors('involvedObject', ({ involvedObject }: CoreEvent) => involvedObject),
    reason: ({ reason }) => reason ?? '',
    reportingComponent: ({ reportingComponent }) => reportingComponent ?? '',
    source: ({ source, reportingComponent }) => source?.component || reportingComponent || '',
    type: ({ type }) => type ?? '',
  },
}

/**
 * What is wrong with an Event, of whichever version, once it is one of core/v1; `controller` is what its own version calls
 * the reporting component. Source: legacyValidateEvent of pkg/apis/core/validation/events.go.
 */
export function eventErrors({ metadata, involvedObject, eventTime, ...event }: CoreEvent, controller: string): FieldError[] {
  const { namespace = '' } = metadata
  const about = involvedObject?.namespace ?? ''
  const { reportingComponent: name = '', reportingInstance: instance = '', action = '', reason = '', message = '' } = event
  const errors: FieldError[] = []
  const elsewhere = () => invalid(new Path('involvedObject').child('namespace'), about, 'does not match event.namespace')
  if (!eventTime) {
    if (about === '' ? namespace !== 'default' : about !== namespace) errors.push(elsewhere())
  } else {
    const within = (value: string, at: string, most: number) =>
      value.length > most ? [invalid(new Path(at), '', `can have at most ${most} characters`)] : []
    const given = (value: string, at: string) => (value ? within(value, at, longest) : [required(new Path(at))])
    if (about === '' && namespace !== 'default' && namespace !== 'kube-system') errors.push(elsewhere())
    if (name === '') errors.push(required(new Path(controller)))
    errors.push(...qualified(name, new Path(controller)), ...given(instance, 'reportingInstance'))
    errors.push(...given(action, 'action'), ...given(reason, 'reason'), ...within(message, 'message', longestNote))
  }
  return [...errors, ...validateSubdomain(namespace, new Path('namespace'))]
}

/** What is wrong with a new Event of events.k8s.io besides. */
export function newEventErrors({ eventTime, type = '', series, ...event }: Event): FieldError[] {
  const unset = (is: unknown, field: string) => (is ? [invalid(new Path(field), '', 'needs to be unset')] : [])
  return [
    ...seriesErrors(series),
    ...(eventTime ? [] : [required(new Path('eventTime'))]),
    ...(type === 'Normal' || type === 'Warning' ? [] : [invalid(new Path('type'), '', `has invalid value: ${type}`)]),
    ...unset(event.deprecatedFirstTimestamp, 'firstTimestamp'),
    ...unset(event.deprecatedLastTimestamp, 'lastTimestamp'),
    ...unset(event.deprecatedCount, 'count'),
    ...unset(event.deprecatedSource?.component || event.deprecatedSource?.host, 'source'),
  ]
}

/** What an update of an Event of events.k8s.io may not change: all but the series and the metadata. */
export function changedEventErrors(event: CoreEvent, old: CoreEvent): FieldError[] {
  return [
    ...(semanticEqual(event.series, old.series) ? [] : seriesErrors(event.series)),
    ...(Object.entries(fixed) as [keyof typeof fixed, unknown][]).flatMap(([field, none]) =>
      validateImmutable(
        event[field] ?? none,
        old[field] ?? none,
        new Path(field === 'reportingComponent' ? 'reportingController' : field),
        fixedTypes[field],
      ),
    ),
  ]
}

/** Each with what Go has where it is not there. */
const fixed = {
  involvedObject: null,
  reason: '',
  message: '',
  source: null,
  firstTimestamp: null,
  lastTimestamp: null,
  count: 0,
  type: '',
  eventTime: null,
  action: '',
  related: null,
  reportingComponent: '',
  reportingInstance: '',
} as const

const fixedTypes: Partial<Record<keyof typeof fixed, string>> = {
  involvedObject: 'core.v1.ObjectReference',
  related: 'core.v1.ObjectReference',
  source: 'core.v1.EventSource',
}

function seriesErrors(series: EventSeries | undefined): FieldError[] {
  if (!series) return []
  return [
    ...((series.count ?? 0) < 2 ? [invalid(new Path('series.count'), '', 'should be at least 2')] : []),
    ...(series.lastObservedTime ? [] : [required(new Path('series.lastObservedTime'))]),
  ]
}

/** What an Event is about, by each part of the reference that `field` holds. */
export function referenceSelectors<T>(field: string, of: (event: T) => ObjectReference | undefined): Record<string, (event: T) => string> {
  const parts = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'] as const
  return Object.fromEntries(parts.map((part) => [`${field}.${part}`, (event: T) => of(event)?.[part] ?? '']))
}
