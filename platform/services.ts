/**
 * Everything the site can ask for. server/ builds it once and puts it where the site's code finds it; pages and routes
 * know nothing else of the system. Every method that acts for a person takes that person and authorises (authorise.ts).
 * Methods reject with PlatformError (errors.ts): a code, an HTTP status and a sentence for people.
 */
import type { ClusterView, EngineChoice, EvidenceKind, LeaseView, SandboxEvent, Skipped, TerminalView, Text, Verdict } from './model.ts'

export type Role = 'learner' | 'instructor' | 'admin'

export interface Person {
  id: string
  name: string
  email: string | null
  role: Role
  /** Came in without signing up (loopback only). */
  guest: boolean
}

export interface AttemptView {
  id: string
  /** A lab's slug, or null for the free cluster beside a lesson. */
  lab: string | null
  lesson: string | null
  owner: string
  lease: LeaseView
  verdict: Verdict | null
  /** How many hints of each task were shown: {"t1": 2}. */
  hints: Record<string, number>
  terminals: TerminalView[]
  nodes: string[]
  startedAt: string
  submission: string | null
}

export interface SubmissionRow {
  id: string
  lab: string
  learner: { id: string; name: string }
  handedInAt: string
  points: number
  maxPoints: number
  overridden: boolean
  /** How many checks failed themselves, so that their points are for a person to give. */
  faultyChecks: number
  engine: string
}

export interface SubmissionView extends SubmissionRow {
  verdict: Verdict
  /** Points as given by the checks, before any override. */
  checkedPoints: number
  hints: Record<string, number>
  versions: { lab: string; engine: string; kubernetes: string }
  evidence: { digest: string; bytes: number; kind: EvidenceKind; name: string }[]
  overrides: { task: string | null; points: number; reason: string; by: string; at: string }[]
  comments: { by: string; text: string; at: string }[]
}

export interface PeopleService {
  /** Who the cookies of a request belong to; null for nobody. */
  current(headers: Headers): Promise<Person | null>
  list(by: Person): Promise<(Person & { createdAt: string })[]>
  setRole(by: Person, personId: string, role: Role): Promise<void>
  /** Whether the request may come in as a guest (loopback). */
  guestAllowed(headers: Headers): boolean
  /** better-auth's own handler, mounted at /api/auth/*. */
  handler(request: Request): Promise<Response>
  /** Uses up the first-run link and gives the person the instructor and admin rights of a first user. */
  claimFirstRun(person: Person, token: string): Promise<void>
}

export interface ProgressService {
  lessons(person: Person): Promise<Record<string, { done: boolean; at: string }>>
  setLesson(person: Person, lesson: string, done: boolean): Promise<void>
  answerQuiz(person: Person, lesson: string, question: string, choice: number, right: boolean): Promise<void>
  quizzes(person: Person, lesson: string): Promise<Record<string, { choice: number; right: boolean }>>
  labs(
    person: Person,
  ): Promise<
    Record<string, { bestPoints: number; maxPoints: number; submitted: boolean; attempt: string | null; submission: string | null }>
  >
}

export interface AttemptService {
  /** The person's open attempt for this lab (or lesson), starting one when there is none. */
  start(person: Person, what: ({ lab: string } | { lesson: string }) & { engine?: string | undefined }): Promise<AttemptView>
  /** What it could run on: first what is taken unless another is asked for. */
  engines(person: Person, what: { lab: string } | { lesson: string }): Promise<EngineChoice[]>
  open(person: Person, what: { lab: string } | { lesson: string }): Promise<AttemptView | null>
  get(person: Person, id: string): Promise<AttemptView>
  reset(person: Person, id: string): Promise<AttemptView>
  extend(person: Person, id: string): Promise<AttemptView>
  end(person: Person, id: string): Promise<void>
  handIn(person: Person, id: string): Promise<{ submission: string }>
  /** Reveals the next hint of a task and records it. */
  hint(person: Person, id: string, task: string): Promise<{ shown: number }>
  /** Skips the cluster's time by so many seconds, or (null) until something happens in it. */
  skipAhead(person: Person, id: string, seconds: number | null): Promise<Skipped>
  /** A skip that is under way ends where it is. */
  stopSkipping(person: Person, id: string): Promise<void>
  /** Tries anew what the lab tries on the learner's own cluster, and undoes it. */
  tryNow(person: Person, id: string): Promise<void>
  openTerminal(person: Person, id: string, node: string | null): Promise<{ id: string }>
  closeTerminal(person: Person, id: string, terminal: string): Promise<void>
  /** A single-use ticket (30 s) for the terminal's WebSocket. */
  terminalTicket(person: Person, id: string, terminal: string): Promise<{ ticket: string }>
  clusterView(person: Person, id: string): Promise<ClusterView>
  /** Calls back with the present state first, then with each change, until the signal aborts. */
  events(person: Person, id: string, listener: (event: SandboxEvent) => void, signal: AbortSignal): Promise<void>
}

export interface GradingService {
  submissions(by: Person, filter: { lab?: string }): Promise<SubmissionRow[]>
  mine(person: Person, lab: string): Promise<SubmissionRow[]>
  submission(by: Person, id: string): Promise<SubmissionView>
  /** Bytes of one piece of evidence. */
  evidence(by: Person, submission: string, digest: string): Promise<{ contentType: string; name: string; bytes: Uint8Array }>
  override(by: Person, submission: string, change: { task: string | null; points: number; reason: string }): Promise<SubmissionView>
  comment(by: Person, submission: string, text: string): Promise<SubmissionView>
}

/** One thing about the machine: its measure in figures, and what to do about it when it is not as it should be. */
export interface MachineFact {
  name: 'memory' | 'cpus' | 'disk' | 'cgroup' | 'inotify' | 'jail' | 'docker' | 'kind'
  /** Figures, versions and paths; '' where there is none. */
  value: string
  problem: Text | null
}

export interface Services {
  people: PeopleService
  progress: ProgressService
  attempts: AttemptService
  grading: GradingService
  /** For /api/health and the admin page. */
  health(): Promise<{
    status: 'ok' | 'starting' | 'stopping'
    version: string
    engines: Record<string, { capabilities: Record<string, true | Text> }>
    sandboxes: number
  }>
  /** What of this machine clusters depend on, for the admin page. */
  machine(): Promise<MachineFact[]>
  /** The labs as proven loadable: what the site needs to draw them. */
  labs: ReadonlyMap<
    string,
    {
      slug: string
      minutes: number
      maxPoints: number
      /** What is tried on a copy of the cluster, or on an engine that cannot copy on the learner's own. */
      trials: Text[]
      tasks: { id: string; maxPoints: number; criteria: { id: string; points: number; label: Text }[] }[]
    }
  >
}

const key = Symbol.for('labernetes.services')

export function provideServices(services: Services): void {
  Reflect.set(globalThis, key, services)
}

/** Throws when the site runs without its server (next start alone). */
export function services(): Services {
  const found = Reflect.get(globalThis, key) as Services | undefined
  if (!found) throw new Error('The site must be started by server/main.ts (npm start)')
  return found
}
