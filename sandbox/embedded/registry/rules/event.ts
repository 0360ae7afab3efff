import type { Event as CoreEvent } from '../../schema/types/core.v1.ts'
import type { Event } from '../../schema/types/events.v1.ts'
import type { Definition } from '../define.ts'
import { type FieldError, invalid, Path, required } from '../field.ts'
import { isDns1123Subdomain } from '../names.ts'
import { qualified } from '../pod-placement.ts'

/** An Event whichever of its two versions it has come in. Source: pkg/apis/core/validation/events.go. */
interface Told {
  namespace: string
  about: string | undefined
  eventTime: string | undefined
  controller: [field: string, value: string | undefined]
  instance: string | undefined
  action: string | undefined
  reason: string | undefined
  message: string | undefined
}

const longest = 128
const longestNote = 1024

function toldErrors({ namespace, about = '', eventTime, controller, instance = '', action = '', reason = '', message = '' }: Told) {
  const errors: FieldError[] = []
  const place = new Path('involvedObject').child('namespace')
  const elsewhere = invalid(place, about, 'does not match event.namespace')
  if (!eventTime) {
    if (about === '' ? namespace !== 'default' : about !== namespace) errors.push(elsewhere)
  } else {
    const [field, name = ''] = controller
    const within = (value: string, at: string, most: number) =>
      value.length > most ? [invalid(new Path(at), '', `can have at most ${most} characters`)] : []
    const given = (value: string, at: string) => (value ? within(value, at, longest) : [required(new Path(at))])
    if (about === '' && namespace !== 'default' && namespace !== 'kube-system') errors.push(elsewhere)
    if (name === '') errors.push(required(new Path(field)))
    errors.push(...qualified(name, new Path(field)), ...given(instance, 'reportingInstance'))
    errors.push(...given(action, 'action'), ...given(reason, 'reason'), ...within(message, 'message', longestNote))
  }
  return [...errors, ...isDns1123Subdomain(namespace).map((text) => invalid(new Path('namespace'), namespace, text))]
}

export const coreEventRules: Partial<Definition<CoreEvent>> = {
  metadataChecks: 'later',
  validate: (event) =>
    toldErrors({
      namespace: event.metadata.namespace ?? '',
      about: event.involvedObject?.namespace,
      eventTime: event.eventTime ?? undefined,
      controller: ['reportingComponent', event.reportingComponent],
      instance: event.reportingInstance,
      action: event.action,
      reason: event.reason,
      message: event.message,
    }),
  fieldSelectors: {
    'involvedObject.kind': ({ involvedObject }) => involvedObject?.kind ?? '',
    'involvedObject.namespace': ({ involvedObject }) => involvedObject?.namespace ?? '',
    'involvedObject.name': ({ involvedObject }) => involvedObject?.name ?? '',
    'involvedObject.uid': ({ involvedObject }) => involvedObject?.uid ?? '',
    'involvedObject.apiVersion': ({ involvedObject }) => involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': ({ involvedObject }) => involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': ({ involvedObject }) => involvedObject?.fieldPath ?? '',
    reason: ({ reason }) => reason ?? '',
    reportingComponent: ({ reportingComponent }) => reportingComponent ?? '',
    source: ({ source, reportingComponent }) => source?.component ?? reportingComponent ?? '',
    type: ({ type }) => type ?? '',
  },
}

export const eventRules: Partial<Definition<Event>> = {
  validate: (event) =>
    toldErrors({
      namespace: event.metadata.namespace ?? '',
      about: event.regarding?.namespace,
      eventTime: event.eventTime ?? undefined,
      controller: ['reportingController', event.reportingController],
      instance: event.reportingInstance,
      action: event.action,
      reason: event.reason,
      message: event.note,
    }),
  validateCreate({ eventTime, type = '', series, ...event }) {
    const unset = (is: unknown, field: string) => (is ? [invalid(new Path(field), '', 'needs to be unset')] : [])
    return [
      ...(series && (series.count ?? 0) < 2 ? [invalid(new Path('series.count'), '', 'should be at least 2')] : []),
      ...(series && !series.lastObservedTime ? [required(new Path('series.lastObservedTime'))] : []),
      ...(eventTime ? [] : [required(new Path('eventTime'))]),
      ...(type === 'Normal' || type === 'Warning' ? [] : [invalid(new Path('type'), '', `has invalid value: ${type}`)]),
      ...unset(event.deprecatedFirstTimestamp, 'firstTimestamp'),
      ...unset(event.deprecatedLastTimestamp, 'lastTimestamp'),
      ...unset(event.deprecatedCount, 'count'),
      ...unset(event.deprecatedSource?.component || event.deprecatedSource?.host, 'source'),
    ]
  },
}
