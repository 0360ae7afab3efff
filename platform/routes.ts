import type { Action } from './authorise.ts'

export interface Route {
  /** WS for a WebSocket. */
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'WS'
  /** As the folders of app/ spell it: /api/attempts/[id]. */
  path: string
  /** What is asked of authorise.ts by whatever answers. */
  action: Action
}

/** Every way in but pages. A test walks app/api and the sockets and fails for one that has no row, or a row that leads nowhere. */
export const routes: readonly Route[] = [
  { method: 'GET', path: '/api/auth/[...all]', action: 'account.use' },
  { method: 'POST', path: '/api/auth/[...all]', action: 'account.use' },
  { method: 'POST', path: '/api/first-run', action: 'first-run.claim' },
  { method: 'GET', path: '/api/health', action: 'health.read' },
  { method: 'GET', path: '/metrics', action: 'metrics.read' },

  { method: 'GET', path: '/api/people', action: 'people.list' },
  { method: 'PATCH', path: '/api/people/[id]', action: 'people.set-role' },

  { method: 'GET', path: '/api/progress', action: 'progress.read' },
  { method: 'PUT', path: '/api/progress/lessons', action: 'progress.write' },
  { method: 'PUT', path: '/api/progress/answers', action: 'progress.write' },

  { method: 'POST', path: '/api/attempts', action: 'attempt.start' },
  { method: 'GET', path: '/api/attempts/[id]', action: 'attempt.read' },
  { method: 'DELETE', path: '/api/attempts/[id]', action: 'attempt.change' },
  { method: 'GET', path: '/api/attempts/[id]/events', action: 'attempt.read' },
  { method: 'POST', path: '/api/attempts/[id]/reset', action: 'attempt.change' },
  { method: 'POST', path: '/api/attempts/[id]/extend', action: 'attempt.change' },
  { method: 'POST', path: '/api/attempts/[id]/skip-ahead', action: 'attempt.change' },
  { method: 'DELETE', path: '/api/attempts/[id]/skip-ahead', action: 'attempt.change' },
  { method: 'POST', path: '/api/attempts/[id]/trials', action: 'attempt.change' },
  { method: 'POST', path: '/api/attempts/[id]/hints', action: 'attempt.change' },
  { method: 'POST', path: '/api/attempts/[id]/hand-in', action: 'attempt.hand-in' },
  { method: 'POST', path: '/api/attempts/[id]/terminals', action: 'terminal.open' },
  { method: 'DELETE', path: '/api/attempts/[id]/terminals/[terminal]', action: 'terminal.open' },
  { method: 'POST', path: '/api/attempts/[id]/terminals/[terminal]/ticket', action: 'terminal.watch' },
  { method: 'WS', path: '/ws/terminal', action: 'terminal.watch' },

  { method: 'GET', path: '/api/labs/[slug]/submissions', action: 'submission.list-own' },
  { method: 'GET', path: '/api/submissions', action: 'submission.list' },
  { method: 'GET', path: '/api/submissions/[id]', action: 'submission.read' },
  { method: 'GET', path: '/api/submissions/[id]/evidence/[digest]', action: 'submission.read' },
  { method: 'POST', path: '/api/submissions/[id]/override', action: 'submission.grade' },
  { method: 'POST', path: '/api/submissions/[id]/comments', action: 'submission.comment' },
]
