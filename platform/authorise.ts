import { type ErrorCode, PlatformError } from './errors.ts'
import type { Person } from './services.ts'

/**
 * Who may do an action:
 * - `anybody`: also without signing in
 * - `operator`: an administrator, or a request from the machine itself
 * - `account`: every person who signed up
 * - `own`: the owner of the resource
 * - `own-or-staff`: the owner, instructors and administrators
 * - `staff`: instructors and administrators
 * - `admin`: administrators
 */
type Rule = 'anybody' | 'operator' | 'account' | 'own' | 'own-or-staff' | 'staff' | 'admin'

const rules = {
  'site.read': 'anybody',
  'health.read': 'anybody',
  'metrics.read': 'operator',
  'account.use': 'anybody',
  'first-run.claim': 'account',
  'people.list': 'admin',
  'people.set-role': 'admin',
  'progress.read': 'own',
  'progress.write': 'own',
  'attempt.start': 'own',
  'attempt.read': 'own-or-staff',
  'attempt.change': 'own',
  'attempt.hand-in': 'own',
  'terminal.open': 'own',
  'terminal.write': 'own',
  'terminal.watch': 'own-or-staff',
  'submission.list': 'staff',
  'submission.list-own': 'own',
  'submission.read': 'own-or-staff',
  'submission.grade': 'staff',
  'submission.comment': 'staff',
} as const satisfies Record<string, Rule>

export type Action = keyof typeof rules

/** What is acted on: whose it is, and for `operator` whether the request comes from the machine itself. */
export interface Resource {
  owner?: string
  local?: boolean
}

export type Decision = { allow: true } | { allow: false; reason: ErrorCode }

/** The one place where permissions are decided. What belongs to another learner is answered as if it did not exist. */
export function decide(person: Person | null, action: Action, resource: Resource = {}): Decision {
  const rule = rules[action]
  if (rule === 'anybody' || (rule === 'operator' && resource.local === true)) return { allow: true }
  if (!person) return { allow: false, reason: 'signed-out' }
  const staff = !person.guest && (person.role === 'instructor' || person.role === 'admin')
  const owner = resource.owner !== undefined && resource.owner === person.id
  switch (rule) {
    case 'account':
      return person.guest ? { allow: false, reason: 'account-needed' } : { allow: true }
    case 'own':
      return owner ? { allow: true } : { allow: false, reason: staff ? 'forbidden' : 'not-found' }
    case 'own-or-staff':
      return owner || staff ? { allow: true } : { allow: false, reason: 'not-found' }
    case 'staff':
      return staff ? { allow: true } : { allow: false, reason: 'forbidden' }
    case 'admin':
    case 'operator':
      return staff && person.role === 'admin' ? { allow: true } : { allow: false, reason: 'forbidden' }
  }
}

/** Throws PlatformError when `decide` says no. */
export function authorise(person: Person | null, action: Action, resource: Resource = {}): asserts person is Person {
  const decision = decide(person, action, resource)
  if (!decision.allow) throw new PlatformError(decision.reason)
}

export const actions = Object.keys(rules) as Action[]
