import { copyOf } from '../machinery/copy.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { Event as CoreEvent } from '../schema/types/core.v1.ts'
import type { Event } from '../schema/types/events.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { changedEventErrors, eventErrors, newEventErrors, referenceSelectors } from './rules/event.ts'

/** A view of core/v1 Events, in which they are stored. */
export const events: readonly ResourceInfo[] = [
  define<Event>('events.k8s.io', 'v1', {
    kind: 'Event',
    resource: 'events',
    shortNames: ['ev'],
    allowCreateOnUpdate: true,
    validate: (event) => eventErrors(coreEvent(event), 'reportingController'),
    validateCreate: newEventErrors,
    validateChange: (event, old) => changedEventErrors(coreEvent(event), coreEvent(old)),
    fieldSelectors: {
      ...referenceSelectors('regarding', ({ regarding }: Event) => regarding),
      reason: ({ reason }) => reason ?? '',
      reportingController: ({ reportingController }) => reportingController ?? '',
      type: ({ type }) => type ?? '',
    },
    storage: { group: '', version: 'v1', resource: 'events' },
    conversion: { toStorage: (object) => coreEvent(copyOf(object) as Event), fromStorage },
  }),
]

const empty = { metadata: {}, involvedObject: {} }

/** An Event as core/v1 has it; the two share what they hold. */
function coreEvent(event: Event): CoreEvent {
  const {
    regarding,
    note,
    deprecatedSource,
    deprecatedFirstTimestamp,
    deprecatedLastTimestamp,
    deprecatedCount,
    reportingController,
    ...rest
  } = event
  return {
    ...empty,
    ...rest,
    apiVersion: 'v1',
    involvedObject: regarding ?? {},
    source: deprecatedSource ?? {},
    firstTimestamp: deprecatedFirstTimestamp,
    lastTimestamp: deprecatedLastTimestamp,
    reportingComponent: reportingController ?? '',
    reportingInstance: rest.reportingInstance ?? '',
    ...(note !== undefined && { message: note }),
    ...(deprecatedCount !== undefined && { count: deprecatedCount }),
  }
}

function fromStorage(object: KubeObject): KubeObject {
  const { involvedObject, message, source, firstTimestamp, lastTimestamp, count, reportingComponent, ...rest } = copyOf(object) as CoreEvent
  const made: Event = {
    ...rest,
    apiVersion: 'events.k8s.io/v1',
    regarding: involvedObject,
    deprecatedSource: source ?? {},
    deprecatedFirstTimestamp: firstTimestamp,
    deprecatedLastTimestamp: lastTimestamp,
    ...(reportingComponent && { reportingController: reportingComponent }),
    ...(message !== undefined && { note: message }),
    ...(count !== undefined && { deprecatedCount: count }),
  } as Event
  return made
}
