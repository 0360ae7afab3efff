/**
 * What the platform needs of the place where sandboxes run. server/ implements it over sandbox/supervisor; the platform
 * knows no engine. Everything is addressed by the lease's id, so that a host may also stand behind a network.
 *
 * Who decides what: the platform keeps leases (states, time to live, idle limit, quotas) in the database and tells the host
 * to start, pause, resume and end; the host never ends a sandbox by itself, it reports `lost` when one cannot be brought back.
 */
import type { ClusterTime, ClusterView, EngineChoice, EvidenceKind, Skipped, TerminalView, Text, Verdict } from './model.ts'

/** What to start. `lease` is unique for ever and safe in a file name: it is the sandbox's id too. */
export interface SandboxOrder {
  lease: string
  /** A lab's slug, or null for the free cluster beside a lesson. */
  lab: string | null
  lesson: string | null
  /** The engine it has to run on; the host's choice when null. */
  engine: string | null
}

export interface StartedSandbox {
  engine: string
  /** Names of the nodes, for terminals on a node. */
  nodes: string[]
}

/** What the host tells of its own accord. Called in order; the host need not wait for it. */
export type SandboxReport =
  /** Only while starting or resetting: what happens now. */
  | { type: 'step'; step: string }
  /** Each time the judges come to another verdict than before; the first one as soon as there is one. */
  | { type: 'verdict'; verdict: Verdict }
  /** The list after a terminal was opened or closed, or its shell ended. */
  | { type: 'terminals'; terminals: TerminalView[] }
  /** The lab tries something on the learner's own cluster (what it does), or is done with it (null). */
  | { type: 'trial'; what: Text | null }
  /** Time begins to be skipped, goes on (several times a second), or is over. */
  | { type: 'time'; time: ClusterTime }
  /** The learner did something (a key, a command); at most once in 10 s. Keeps the lease from idling. */
  | { type: 'active' }
  /** The sandbox is gone and cannot be brought back; `reason` says why. */
  | { type: 'lost'; reason: Text }

export type SandboxListener = (report: SandboxReport) => void

/** One piece of what a submission keeps. Names are unique within a hand-in; a recording is named after its terminal. */
export interface EvidencePiece {
  kind: EvidenceKind
  /** File name with extension: snapshot.json, terminal-1.cast. */
  name: string
  /** application/json, application/x-asciicast ... */
  contentType: string
  bytes: Uint8Array | AsyncIterable<Uint8Array>
}

export interface HandIn {
  verdict: Verdict
  versions: { lab: string; engine: string; kubernetes: string }
  pieces: EvidencePiece[]
}

export interface SandboxHost {
  /** Engine's name -> capability -> true, or the sentence that says why it is missing. */
  engines(): Promise<Record<string, { capabilities: Record<string, true | Text> }>>

  /** What a lab, or the cluster beside a lesson, could run on: first what is taken unless another is asked for. */
  engineChoices(what: Pick<SandboxOrder, 'lab' | 'lesson'>): Promise<EngineChoice[]>

  /**
   * Resolves when the learner can work in it. Rejects when it cannot be; nothing is left behind then. The learner reads the
   * error's `text` (a Text), or else the first line of its message. An abort ends the attempt to start.
   */
  start(order: SandboxOrder, listener: SandboxListener, signal: AbortSignal): Promise<StartedSandbox>

  /**
   * Once, at the platform's start, before anything else: brings back the sandboxes of these orders (with their terminals'
   * list where shells survived) and destroys every other one that is found. Resolves with those that live
   * again, by lease, also when they had been paused. Where it knows why one does not, it reports that one as `lost` meanwhile.
   */
  adopt(orders: readonly SandboxOrder[], listener: (lease: string) => SandboxListener): Promise<Map<string, StartedSandbox>>

  /** Ends terminals and cluster and removes what they left. Does nothing for an unknown lease. */
  end(lease: string): Promise<void>

  /** Back to the lab's start: a fresh cluster under the same lease, terminals closed. Rejects when it cannot be started again. */
  reset(lease: string): Promise<StartedSandbox>

  /** Frees what an idle sandbox uses, keeping its state; shells end where the engine cannot hold them. */
  pause(lease: string): Promise<void>
  resume(lease: string): Promise<StartedSandbox>

  /** Opens a shell in the toolbox, or on a node; it runs until it is closed or the sandbox ends. */
  openTerminal(lease: string, node: string | null): Promise<TerminalView>
  closeTerminal(lease: string, terminal: string): Promise<void>
  terminals(lease: string): Promise<TerminalView[]>

  clusterView(lease: string): Promise<ClusterView>
  /** Calls back with the view after each change of it (at most about 10 a second), until the signal aborts. */
  watchCluster(lease: string, listener: (view: ClusterView) => void, signal: AbortSignal): Promise<void>

  clusterTime(lease: string): Promise<ClusterTime>

  /**
   * Skips time by so many seconds, or (null) until something happens in the cluster. An abort stops it where it is. Rejects where
   * `clusterTime` says that it cannot be skipped.
   */
  skipAhead(lease: string, seconds: number | null, signal: AbortSignal): Promise<Skipped>

  /** Tries anew what the lab tries, also on the learner's own cluster; resolves when it is undone. */
  tryNow(lease: string): Promise<void>

  /** Judges for the last time and collects everything a submission keeps. Does not end the sandbox: `end` follows. */
  handIn(lease: string): Promise<HandIn>
}
