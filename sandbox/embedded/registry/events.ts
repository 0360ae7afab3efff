import type { Event } from '../schema/types/events.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'

const group = 'events.k8s.io'
const version = 'v1'

export const events: readonly ResourceInfo[] = [define<Event>(group, version, { kind: 'Event', resource: 'events', shortNames: ['ev'] })]
