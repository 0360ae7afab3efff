import type { ExecResult, ForkedSandbox, Sandbox } from '../engine.ts'
import { listObjects } from '../manifests.ts'
import { Journal } from './journal.ts'
import type { ProvingGround, Provocation, ProvocationResult } from './kit.ts'

type Place = Pick<ForkedSandbox, 'api' | 'execInPod' | 'now'> & { advance(ms: number): Promise<void> }

/**
 * Does a provocation and says what was seen: on a fork of the sandbox where the engine can (the learner's cluster is not
 * touched and waiting costs no time), otherwise on the learner's own, undone after (also after a kill, by whoever finds
 * `journalFile`). Never rejects: a fault is a result.
 */
export async function provoke(sandbox: Sandbox, provocation: Provocation, journalFile?: string): Promise<ProvocationResult> {
  let at = 0
  try {
    at = await sandbox.now()
    if (sandbox.fork) {
      await using fork = await sandbox.fork()
      return { ok: true, seen: await provocation.run(groundAt(fork)), at }
    }
    const journal = new Journal((request) => sandbox.api(request), journalFile)
    const ground = groundAt({
      api: (request) => journal.request(request),
      execInPod: (namespace, pod, argv, options) => sandbox.execInPod(namespace, pod, argv, options),
      now: () => sandbox.now(),
      advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    })
    try {
      return { ok: true, seen: await provocation.run(ground), at }
    } finally {
      try {
        await provocation.undo?.(ground)
      } finally {
        await journal.undo()
      }
    }
  } catch (error) {
    return { ok: false, fault: error instanceof Error ? error.message : String(error), at }
  }
}

function groundAt(place: Place): ProvingGround {
  return {
    api: (request) => place.api(request),
    list: (selector) => listObjects((request) => place.api(request), selector),
    exec: (namespace, pod, argv, options): Promise<ExecResult> => place.execInPod(namespace, pod, argv, options),
    now: () => place.now(),
    wait: (ms) => place.advance(ms),
    async sample(every, total, look) {
      const start = await place.now()
      for (let time = start; ; time = await place.now()) {
        if (await look(time)) return true
        if (time - start >= total) return false
        await place.advance(every)
      }
    },
  }
}
