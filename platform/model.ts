/** The shapes that travel between the platform and the site. The check kit's verdicts have the same shape (server/ joins them). */
export interface Text {
  en: string
  zh: string
}

export type VerdictState = 'pass' | 'not-yet' | 'waiting'

export interface CriterionVerdict {
  id: string
  state: VerdictState
  points: number
  maxPoints: number
  label: Text
  why: Text
  expected?: Text
  observed?: Text
  hint?: number
  /** The check itself failed: nothing is known of the learner's work. */
  faulty?: true
}

export interface TaskVerdict {
  id: string
  state: VerdictState
  points: number
  maxPoints: number
  criteria: CriterionVerdict[]
}

export interface Verdict {
  time: number
  points: number
  maxPoints: number
  tasks: TaskVerdict[]
}

export type LeaseState = 'requested' | 'starting' | 'ready' | 'paused' | 'ended'

/** An engine that something could run on. */
export interface EngineChoice {
  engine: string
  /** The sentence that says why it cannot here; null when it can. */
  missing: Text | null
}

export interface LeaseView {
  state: LeaseState
  /** Before it is ready: the one that was asked for or chosen; '' for none yet. */
  engine: string
  /** While starting: what happens now. */
  step: string | null
  /** Why it ended, when it did: 'handed-in' 'ended' 'expired' 'idle' 'failed'. */
  reason: string | null
  /** What went wrong, when it failed. */
  failure: Text | null
  /** ISO 8601. */
  expiresAt: string | null
  extensionsLeft: number
  /** Names of the nodes (or hosts) that a terminal can be opened on; empty before it is ready. */
  nodes: string[]
}

/** The learner's cluster as it is drawn: what stands where and whether it works. */
export interface ClusterView {
  /** Cluster ms. */
  time: number
  nodes: { name: string; ready: boolean; unschedulable: boolean; controlPlane: boolean }[]
  pods: PodView[]
  services: ServiceView[]
}

export interface PodView {
  uid: string
  name: string
  namespace: string
  node: string | null
  /** What kubectl prints under STATUS. */
  status: string
  ready: boolean
  terminating: boolean
  restarts: number
  ip: string | null
  /** Name of the workload it belongs to: Deployment/shop. */
  owner: string | null
  containers: { name: string; state: 'waiting' | 'running' | 'terminated'; reason: string | null; ready: boolean; restarts: number }[]
}

export interface ServiceView {
  uid: string
  name: string
  namespace: string
  type: string
  clusterIP: string | null
  ports: { name: string | null; port: number; targetPort: string }[]
  endpoints: { ip: string; pod: string | null; ready: boolean; terminating: boolean }[]
}

/** What a file that a submission keeps tells of its attempt. */
export type EvidenceKind = 'evidence' | 'snapshot' | 'changes' | 'verdicts' | 'recording' | 'audit'

/** Time in a cluster, which is its own where the engine has a clock. */
export interface ClusterTime {
  /** Cluster ms when this was told. */
  now: number
  /** By so many ms it is ahead of the machine's. */
  ahead: number
  /** Whether learners can skip it, or why they cannot: the engine has no clock, or the lab forbids it. */
  skip: 'yes' | 'no-clock' | 'forbidden'
  /** While it is skipped: from where, and to where unless that is open; cluster ms. */
  skipping: { from: number; to: number | null } | null
}

/** What came of skipping time, in cluster ms. `limit`: it is as far as one skip goes. */
export interface Skipped {
  from: number
  to: number
  end: 'reached' | 'happened' | 'stopped' | 'limit'
}

export interface TerminalView {
  id: string
  title: string
  /** null: the toolbox. */
  node: string | null
}

export type SandboxEvent =
  | { type: 'lease'; lease: LeaseView }
  | { type: 'verdict'; verdict: Verdict }
  | { type: 'cluster'; view: ClusterView }
  | { type: 'terminals'; terminals: TerminalView[] }
  /** Something is tried on the learner's own cluster, and undone; null when it is over. */
  | { type: 'trial'; what: Text | null }
  /** When the cluster is ready, and while its time is skipped. */
  | { type: 'time'; time: ClusterTime }
