import { createAttempts } from './attempts.ts'
import type { PlatformContext } from './context.ts'
import { createGrading } from './grading.ts'
import { createPeople, prepareFirstRun } from './people.ts'
import { createProgress } from './progress.ts'
import { SandboxRuns } from './sandbox-runs.ts'
import type { Services } from './services.ts'
import { createSignIn } from './sign-in.ts'
import { redeemTicket, type TerminalGrant } from './tickets.ts'

export interface PlatformOptions extends PlatformContext {
  /** Signs the cookies. */
  secret: string
  publicUrl: string
}

/** The whole domain, for the site (services) and for the server that runs it. */
export interface Platform extends AsyncDisposable {
  services: Pick<Services, 'people' | 'progress' | 'attempts' | 'grading'>
  /** The token of the first-run link; null when there is an administrator already. */
  firstRunToken: string | null
  /** Uses up a terminal ticket. Throws PlatformError. */
  redeemTicket: (ticket: string) => Promise<TerminalGrant>
  /** Ends what has expired, pauses what is idle: to be called every few seconds. */
  keepLeases: () => Promise<void>
  /** How many sandboxes of this host have not ended. */
  sandboxes: () => Promise<number>
}

/** Opens the domain on an open database: adopts the sandboxes that earlier processes of this host left. */
export async function openPlatform({ secret, publicUrl, ...context }: PlatformOptions): Promise<Platform> {
  const signIn = createSignIn({ ...context, secret, publicUrl })
  const firstRunToken = await prepareFirstRun(context)
  const runs = await SandboxRuns.open(context)
  return {
    services: {
      people: createPeople(context, signIn),
      progress: createProgress(context),
      attempts: createAttempts(context, runs),
      grading: createGrading(context),
    },
    firstRunToken,
    redeemTicket: (ticket) => redeemTicket(context, ticket),
    keepLeases: () => runs.keep(),
    sandboxes: async () => (await runs.leases.live()).length,
    [Symbol.asyncDispose]: () => runs[Symbol.asyncDispose](),
  }
}
