import type { KubeObject } from '../machinery/object.ts'
import type { Event } from '../schema/types/core.v1.ts'
import { type Facet, facetsOf } from './facets.ts'

/** By facet, the values it went through. */
export type Track = Record<string, Facet[]>

/**
 * What a story showed. Objects of one generated name are told together: each course of things with how many of them took it.
 */
export interface Recorded {
  notes: string[]
  objects: Record<string, { times: number; track: Track }[]>
}

/** Follows objects through a story and keeps of each facet the values in their order, without times. */
export class Tracks {
  private readonly tracks = new Map<string, { key: string; track: Track }>()
  /** What generated names begin with. */
  private readonly prefixes = new Set<string>()
  private readonly loose: ReadonlySet<string>
  private readonly notes: string[] = []

  /** @param loose facets, as "Kind facet", whose course is left out */
  constructor(loose: readonly string[] = []) {
    this.loose = new Set(loose)
  }

  see(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): void {
    if (object.kind === 'Event') {
      if (type !== 'DELETED') this.seeEvent(object as Event)
      return
    }
    const { name = '', generateName, uid = '', namespace } = object.metadata
    const random = namespace && generateName && name.startsWith(generateName) ? name.slice(generateName.length) : ''
    if (generateName && /^[a-z0-9]{5}$/.test(random)) this.prefixes.add(generateName)
    const { track } = this.trackOf(uid, `${object.kind}/${name}`)
    for (const [facet, value] of Object.entries(facetsOf(object))) extend(track, facet, value)
    for (const facet of Object.keys(track)) {
      if (!facet.startsWith('events ') && !(facet in facetsOf(object)) && facet !== 'object') extend(track, facet, '-')
    }
    const { deletionTimestamp } = object.metadata
    extend(track, 'object', type === 'DELETED' ? 'gone' : deletionTimestamp ? 'deleting' : 'there')
  }

  note(text: string): void {
    this.notes.push(text)
  }

  recorded(): Recorded {
    const objects: Recorded['objects'] = {}
    for (const { key, track } of this.tracks.values()) {
      const settled = Object.fromEntries(
        Object.entries(track)
          .filter(([facet]) => !this.loose.has(`${key.slice(0, key.indexOf('/'))} ${facet}`))
          .map(([facet, values]): [string, Facet[]] => [facet, this.settled(facet, values)])
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      )
      const group = (objects[String(this.plain(key))] ??= [])
      const same = group.find((other) => JSON.stringify(other.track) === JSON.stringify(settled))
      if (same) same.times++
      else group.push({ times: 1, track: settled })
    }
    for (const group of Object.values(objects)) group.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    const ordered = Object.fromEntries(Object.entries(objects).sort(([a], [b]) => (a < b ? -1 : 1)))
    return { notes: this.notes.map((note) => String(this.plain(note))), objects: ordered }
  }

  private settled(facet: string, values: readonly Facet[]): Facet[] {
    if (facet.startsWith('events ')) return inBursts(onceEach(values.map((value) => String(this.plain(value)))))
    if (values.some((value) => typeof value === 'number')) return turningPoints(values.map(Number))
    const plain = values.map((value) => this.plain(value)).filter((value, index, all) => value !== all[index - 1])
    const [first] = plain
    return plain.length > 1 && passing.some((pattern) => pattern.test(`${facet}: ${first}`)) ? plain.slice(1) : plain
  }

  /** Events are a facet of what they are about: in the order in which each source told them first. */
  private seeEvent({ involvedObject, source, reportingComponent, type, reason, message = '' }: Event): void {
    const { kind = '', name = '', uid = '' } = involvedObject
    if (reason === 'Pulling' || noise.some((pattern) => pattern.test(message))) return
    const { track } = this.trackOf(uid, `${kind}/${name}`)
    const component = source?.component || reportingComponent || ''
    const facet = `events ${component.replace(/(_[a-z-]+?)-[a-z0-9]+-[a-z0-9]{5}_[0-9a-f-]{36}$/, '$1')}`
    const pulled = /image "([^"]+)"/.exec(message)?.[1]
    const text = `${type} ${reason}: ${reason === 'Pulled' ? `${pulled} is there` : message}`
    const values = (track[facet] ??= [])
    if (!values.includes(text)) values.push(text)
  }

  private trackOf(uid: string, key: string): { key: string; track: Track } {
    const known = this.tracks.get(uid || key) ?? { key, track: {} }
    this.tracks.set(uid || key, known)
    return known
  }

  /** Without what no two clusters have in common. */
  private plain(value: Facet): Facet {
    if (typeof value === 'number') return value
    let text = value
    for (const prefix of this.prefixes)
      text = text.replace(new RegExp(`${prefix}[bcdfghjklmnpqrstvwxz2456789]{5}(?![a-z0-9])`, 'g'), `${prefix}<random>`)
    for (const [pattern, replacement] of replacements) text = text.replace(pattern, replacement)
    return text
  }
}

function extend(track: Track, facet: string, value: Facet): void {
  const values = (track[facet] ??= [])
  if (values.at(-1) !== value) values.push(value)
}

/** Of a number's course from zero on, where it turned and where it ended: how many steps it took is a matter of timing. */
function turningPoints(values: readonly number[]): number[] {
  const course = [0, ...values.map((value) => value || 0)].filter((value, index, all) => value !== all[index - 1])
  return course.filter((value, index) => {
    const before = course[index - 1]
    const after = course[index + 1]
    return before !== undefined && (after === undefined || Math.sign(value - before) !== Math.sign(after - value))
  })
}

/** A kubelet that is quick says nothing of these states at first. */
const passing = [
  /^container .*: waiting (ContainerCreating|PodInitializing)$/,
  /^condition PodReadyToStartContainers: False$/,
  /^started .*: false$/,
]

/** What only a busy machine says, or a probe that meets a container on its way out. */
const noise = [/failed to sync (configmap|secret) cache/, /probe errored and resulted in unknown state/, /^Readiness probe failed: $/]

/** Warnings are told again at each attempt, and by many attempts in sum. */
function onceEach(events: readonly string[]): string[] {
  const plain = events.map((event) => event.replace('(combined from similar events): ', ''))
  return plain.filter((event, index) => !event.startsWith('Warning ') || plain.indexOf(event) === index)
}

/** Events of one reason that follow each other come from work done side by side, in any order. */
function inBursts(events: readonly string[]): string[] {
  const reasonOf = (event: string) => event.slice(0, event.indexOf(':'))
  const bursts: string[][] = []
  for (const event of events) {
    const last = bursts.at(-1)
    if (last?.[0] !== undefined && reasonOf(last[0]) === reasonOf(event)) last.push(event)
    else bursts.push([event])
  }
  return bursts.flatMap((burst) => burst.sort())
}

const replacements: [RegExp, string][] = [
  [/(?<=enough resource: [\w-]+, requested: \d+, )used: \d+, capacity: \d+/g, 'used: <used>, capacity: <capacity>'],
  [/(?<=nginx\/)\d+(?:\.\d+)*/g, '<version>'],
  [/(?<=enough capacity: \w+, requested: \d+, capacity: )\d+/g, '<capacity>'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<uid>'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, '<ip>'],
  [/\b[0-9a-f]{32}\b/g, '<hash>'],
  [/\b[a-z]+-(?:worker\d*|control-plane)(?![a-z0-9-])/g, '<node>'],
  [/-\d{8}\b/g, '-<minutes>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, '<time>'],
]
