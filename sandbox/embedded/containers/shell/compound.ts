import type { ExitStatus } from '../kernel/process.ts'
import type { Compound, List } from './ast.ts'
import { evaluateWord, expandPattern, expandText, expandWords } from './expand.ts'
import { matches } from './pattern.ts'
import { redirect } from './redirections.ts'
import type { Shell } from './shell.ts'
import { evaluateTest } from './test-expression.ts'

export async function compound(shell: Shell, command: Compound): Promise<number> {
  if (command.redirections.length === 0) return compoundBody(shell, command)
  const undo = await redirect(shell, shell.process, command.redirections)
  if (!undo) return shell.status
  try {
    return await compoundBody(shell, command)
  } finally {
    undo()
  }
}

async function compoundBody(shell: Shell, command: Compound): Promise<number> {
  const { body } = command
  switch (body.type) {
    case 'group':
      return shell.list(body.list)
    case 'subshell': {
      const child = shell.process.machine.fork(shell.process)
      if (shell.interactive) child.pgid = child.pid
      shell.runForked(child, { type: 'compound', body: { type: 'group', list: body.list }, redirections: [], line: command.line })
      const [status] = await shell.foreground([child])
      return (shell.status = (status as ExitStatus).code)
    }
    case 'if':
      for (const branch of body.branches) {
        if (await condition(shell, branch.condition)) return shell.list(branch.body)
        if (shell.jump) return shell.status
      }
      if (body.otherwise) return shell.list(body.otherwise)
      return (shell.status = 0)
    case 'loop':
      return loop(
        shell,
        async () => (await condition(shell, body.condition)) !== body.until,
        () => shell.list(body.body),
      )
    case 'for': {
      const words = body.words ? await expandWords(shell, body.words) : [...shell.positional]
      let index = 0
      return loop(
        shell,
        async () => {
          if (index >= words.length) return false
          shell.variables.set(body.name, words[index++] as string)
          return true
        },
        () => shell.list(body.body),
      )
    }
    case 'select':
      return select(shell, body)
    case 'forArithmetic': {
      await evaluateWord(shell, body.start)
      let first = true
      return loop(
        shell,
        async () => {
          if (!first) await evaluateWord(shell, body.step)
          first = false
          return body.condition.text.trim() === '' || (await evaluateWord(shell, body.condition)) !== 0n
        },
        () => shell.list(body.body),
      )
    }
    case 'case':
      return caseCommand(shell, body)
    case 'arithmetic':
      return (shell.status = (await evaluateWord(shell, body.expression)) !== 0n ? 0 : 1)
    case 'test':
      return (shell.status = (await evaluateTest(shell, body.expression)) ? 0 : 1)
  }
}

async function caseCommand(shell: Shell, body: Compound['body'] & { type: 'case' }): Promise<number> {
  const subject = await expandText(shell, body.word)
  shell.status = 0
  let falling = false
  for (const branch of body.branches) {
    let hit = falling
    for (const pattern of branch.patterns) {
      if (hit) break
      hit = matches(await expandPattern(shell, pattern), subject, shell.shopt.has('nocasematch'))
    }
    if (!hit) continue
    await shell.list(branch.body)
    if (branch.end === ';;' || shell.jump) return shell.status
    falling = branch.end === ';&'
  }
  return shell.status
}

async function select(shell: Shell, body: Compound['body'] & { type: 'select' }): Promise<number> {
  const words = body.words ? await expandWords(shell, body.words) : [...shell.positional]
  const menu = words.map((word, index) => `${index + 1}) ${word}\n`).join('')
  await shell.process.complain(menu)
  return loop(
    shell,
    async () => {
      await shell.process.complain(shell.variables.get('PS3') ?? '#? ')
      const line = await shell.readLine(0)
      if (line === undefined) return false
      shell.variables.set('REPLY', line.text)
      shell.variables.set(body.name, words[Number(line.text) - 1] ?? '')
      return true
    },
    () => shell.list(body.body),
  )
}

async function condition(shell: Shell, list: List): Promise<boolean> {
  shell.unchecked++
  try {
    return (await shell.list(list)) === 0
  } finally {
    shell.unchecked--
  }
}

async function loop(shell: Shell, more: () => Promise<boolean>, body: () => Promise<number>): Promise<number> {
  shell.loopDepth++
  let status = 0
  try {
    while (!shell.jump && (await more())) {
      status = await body()
      if (leaves(shell)) break
    }
    leaves(shell)
  } finally {
    shell.loopDepth--
  }
  return (shell.status = status)
}

/** After a round of a loop: is it over? Takes its part of break and continue. */
function leaves(shell: Shell): boolean {
  const { jump } = shell
  if (!jump) return false
  if (jump.type === 'return') return true
  if (jump.count > 1) {
    jump.count--
    return true
  }
  shell.jump = undefined
  return jump.type === 'break'
}
