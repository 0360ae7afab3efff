import type { Queries } from './database.ts'
import type { EvidenceStore } from './evidence-store.ts'
import type { Log } from './log.ts'
import type { SandboxHost } from './sandbox-host.ts'
import type { Services } from './services.ts'

/** How long and how many. Times in ms. */
export interface Limits {
  /** From ready to the end. */
  timeToLive: number
  /** Without a key pressed; the cluster is paused then. */
  idle: number
  extension: number
  extensions: number
  clustersPerPerson: number
  clustersPerHost: number
  /** Besides, for engines whose clusters cost more than others. */
  perEngine: Readonly<Record<string, { perPerson: number; perHost: number }>>
}

/** What all services of the platform share. */
export interface PlatformContext {
  queries: Queries
  evidence: EvidenceStore
  host: SandboxHost
  /** This host's name among others on the same database; stable over restarts. */
  hostName: string
  labs: Services['labs']
  limits: Limits
  log: Log
  now: () => Date
}
