/**
 * What a lab.ts imports. A check is collect + judge: `collect` names what to look at, `judge` is a pure function from
 * evidence to an outcome. A judge must not throw; a missing object is an outcome. (A judge that throws all the same is
 * shown to the learner as "waiting", marked in the submission for the instructor, and logged for the operator.)
 *
 * What the learner finds is start/*.yaml (applied in the order of their names), start/home/** (copied to their home) and, for
 * what manifests cannot tell, start.sh: run once in the toolbox after both, before the lab counts as started.
 */
import type { ApiRequest, ApiResponse, Capability, ClusterShape, EngineName, ExecResult, ObjectSelector, WatchedObject } from '../engine.ts'
import type { Text } from '../text.ts'
import type { NetworkState } from './network.ts'

/** Plain text; `code` in backticks. */
export type { Text } from '../text.ts'

export interface LabDefinition {
  slug: string
  /** Minutes a learner should plan. */
  minutes: number
  needs: readonly Capability[]
  /** Engines it is made and proven for, in order of preference; every engine that has its needs unless given. */
  engines?: readonly EngineName[]
  nodes?: number
  shape?: ClusterShape
  /** Whether learners may skip time on an engine with a clock; they may unless it is false. */
  skipAhead?: boolean
  collect: Record<string, Query>
  provoke?: Record<string, Provocation>
  tasks: readonly TaskDefinition[]
}

export interface TaskDefinition {
  /** t1, t2 ...: its title and hints stand under this name in the front matter of en.mdx and zh.mdx. */
  id: string
  criteria: readonly Criterion[]
}

export interface Criterion {
  id: string
  points: number
  /** What is looked at: "Readiness probe on /ready". */
  label: Text
  /** Why it matters, shown while it is not met. */
  why: Text
  judge: (evidence: Evidence) => Outcome
}

export type Outcome =
  | { state: 'pass'; observed?: Text }
  | {
      state: 'not-yet'
      expected: Text
      observed: Text /** Index of the hint that fits. */
      hint?: number /** Of the criterion's points; 0 unless given. */
      points?: number
    }
  /** Nothing wrong so far, but it takes time: judged again at `until` (cluster ms). */
  | { state: 'waiting'; expected: Text; observed: Text; until?: number }

export type Query =
  | {
      kind: 'objects'
      selector: ObjectSelector
      /** Also keep every change since the lab started, in evidence.changes. */
      history?: boolean
      /** Secrets only: keep the values (they are digests otherwise). */
      values?: boolean
    }
  | {
      kind: 'command'
      /** Run in the toolbox (as a hidden process, never in the learner's shell) unless `pod` or `node` is given. */
      argv: readonly string[]
      pod?: { namespace: string; name: string; container?: string }
      /** 'control-plane', 'worker', 'worker2' ...: run there as root. */
      node?: string
      /** Names of object and network queries whose changes make the command run again. */
      after: readonly string[]
      /** Also run again when somebody is at work in the sandbox, and every few seconds: for what no query sees, like a file on a node. */
      repeat?: boolean
    }
  | {
      /** Links, addresses, routes, fdb, neighbours and iptables of a node and of the network namespaces on it (network.ts). */
      kind: 'network'
      /** 'worker', 'worker2' ... */
      node: string
    }
  | {
      kind: 'access'
      /** Asked with SubjectAccessReview. */
      user: string
      groups?: readonly string[]
      reviews: readonly AccessReview[]
      after: readonly string[]
    }

export interface AccessReview {
  namespace?: string
  verb: string
  group?: string
  resource: string
  subresource?: string
  name?: string
}

export interface Evidence {
  /** Cluster ms at which it was collected, and at which the lab started (or was last reset). */
  time: number
  startedAt: number
  objects: Record<string, readonly WatchedObject[]>
  changes: Record<string, readonly ObjectChange[]>
  commands: Record<string, ExecResult | undefined>
  /** undefined: the node did not answer. */
  network: Record<string, NetworkState | undefined>
  /** In the order of the query's reviews. */
  access: Record<string, readonly boolean[]>
  /** undefined: not run (its condition does not hold, or it waits to be asked for). */
  provoked: Record<string, ProvocationResult | undefined>
  /** Where provocations run: by themselves on a copy (also when nothing is said), or when asked on the learner's own cluster. */
  triedOn?: 'copy' | 'cluster'
}

export interface ObjectChange {
  time: number
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  object: WatchedObject
}

/** A change made to see what happens: on a fork where the engine can, announced and undone on the learner's cluster elsewhere. */
export interface Provocation {
  /** What will be done, for the learner: "restarts the rollout of shop and samples its endpoints". */
  what: Text
  /** Object and network queries whose changes make it run again. */
  after: readonly string[]
  /** Whether there is anything to provoke yet. Pure. */
  when: (evidence: Evidence) => boolean
  /**
   * What the result depends on (JSON). While it stays the same, changes of `after` do not run it again: a Deployment's
   * status changes all the time, its spec does not. Pure. Without it every change counts.
   */
  basis?: (evidence: Evidence) => unknown
  /** Does it and returns what was seen (JSON). A throw is kept as a fault in the evidence. */
  run: (ground: ProvingGround) => Promise<unknown>
  /** Engines without fork: what has to be put back besides the objects that `run` changed, which are put back by themselves. */
  undo?: (ground: ProvingGround) => Promise<void>
}

export type ProvocationResult = { ok: true; seen: unknown; at: number } | { ok: false; fault: string; at: number }

export interface ProvingGround {
  api(request: ApiRequest): Promise<ApiResponse>
  list(selector: ObjectSelector): Promise<WatchedObject[]>
  exec(namespace: string, pod: string, argv: readonly string[], options?: { container?: string; timeout?: number }): Promise<ExecResult>
  now(): Promise<number>
  /** Lets so many ms of cluster time pass. */
  wait(ms: number): Promise<void>
  /** Calls `look` every `every` ms of cluster time for `total` ms, or until it returns true. Resolves with whether it did. */
  sample(every: number, total: number, look: (time: number) => Promise<boolean | void>): Promise<boolean>
}

export interface CriterionVerdict {
  id: string
  state: Outcome['state']
  points: number
  maxPoints: number
  label: Text
  why: Text
  expected?: Text
  observed?: Text
  hint?: number
  /** The judge threw: nothing is known of the learner's work. */
  faulty?: true
}

export interface TaskVerdict {
  id: string
  /** pass when every criterion passes; waiting when none is not-yet but some wait. */
  state: Outcome['state']
  points: number
  maxPoints: number
  criteria: CriterionVerdict[]
}

export interface Verdict {
  /** Cluster ms. */
  time: number
  points: number
  maxPoints: number
  tasks: TaskVerdict[]
}

/** Checks the definition's sums and names (throws with a sentence that says what is wrong) and returns it. */
export function defineLab(lab: LabDefinition): LabDefinition {
  const names = new Set<string>()
  for (const task of lab.tasks)
    for (const criterion of task.criteria) {
      const name = `${task.id}/${criterion.id}`
      if (names.has(name)) throw new Error(`lab ${lab.slug}: two criteria are called ${name}`)
      if (!(criterion.points > 0)) throw new Error(`lab ${lab.slug}: ${name} has no points`)
      names.add(name)
    }
  const known = new Set(Object.keys(lab.collect))
  const followers = [...Object.entries(lab.collect), ...Object.entries(lab.provoke ?? {})]
  for (const [name, follower] of followers)
    for (const source of 'after' in follower ? follower.after : [])
      if (!known.has(source)) throw new Error(`lab ${lab.slug}: ${name} follows "${source}", which is not collected`)
  return lab
}

/** A criterion met; say what was seen when it teaches something. */
export function pass(observed?: Text): Outcome {
  return observed ? { state: 'pass', observed } : { state: 'pass' }
}

export function notYet(expected: Text, observed: Text, more: { hint?: number; points?: number } = {}): Outcome {
  return { state: 'not-yet', expected, observed, ...more }
}

export function waiting(expected: Text, observed: Text, until?: number): Outcome {
  return until === undefined ? { state: 'waiting', expected, observed } : { state: 'waiting', expected, observed, until }
}

/** The outcome of what a provocation saw, as `look` judges it; waiting while it has not run, or when it could not. */
export function afterProvoking<T>(evidence: Evidence, name: string, expected: Text, look: (seen: T) => Outcome): Outcome {
  const result = evidence.provoked[name]
  if (!result)
    return waiting(
      expected,
      evidence.triedOn === 'cluster'
        ? { en: 'tried on your own cluster when you ask for it, or hand in', zh: '在你要求试验或提交时，在你自己的集群上试验' }
        : { en: 'about to be tried on a copy of your cluster', zh: '即将在你集群的副本上试验' },
    )
  if (!result.ok) return waiting(expected, { en: `it could not be tried: ${result.fault}`, zh: `试验未能完成：${result.fault}` })
  return look(result.seen as T)
}

/** The same text in both languages: a name, a number, a piece of YAML. */
export function verbatim(text: string): Text {
  return { en: text, zh: text }
}
