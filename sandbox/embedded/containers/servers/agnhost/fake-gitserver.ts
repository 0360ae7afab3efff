import { command } from '../../go/flags.ts'
import { goServe } from '../../go/http.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import { answer } from '../http.ts'

/** Answers every path on 8000 with a sentence. */
export const fakeGitServer = command({
  short: 'Fakes a git server',
  flags: {},
  args: 0,
  async run(process) {
    dieOfSignals(process)
    return (await goServe(process, 8000, () => answer(200, 'I am a fake git server'))) ?? forever(process)
  },
})
