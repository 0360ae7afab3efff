import type { ExitStatus } from '../kernel/process.ts'
import type { Compound, List } from './ast.ts'
import { evaluateWord, expandPattern, expandText, expandWords } from './expand.ts'
import { matches } from './pattern.ts'
import { redirect } from './redirections.ts'
import type { Shell } from './shell.ts'
import { evaluateTest } from './test-expression.ts'

export function compound(shell: Shell, command: Compound): Promise<number> {
  return command.redirections.length === 0 ? compoundBody(shell, command) : redirected(shell, command)
}

async function redirected(shell: Shell, command: Compound): Promise<number> {
  const undo = await redirect(shell, shell.process, command.redirections)
  if (!undo) return shell.status
  try {
    return await compoundBody(shell, command)
  } finally {
    undo()
  }
}

function compoundBody(shell: Shell, { body, line }: Compound): Promise<number> {
  switch (body.type) {
    case 'group':
      return shell.list(body.list)
    case 'subshell':
      return subshell(shell, body.list, line)
    case 'if':
      return ifCommand(shell, body)
    case 'loop':
      return loop(
        shell,
        async () => (await condition(shell, body.condition)) !== body.until,
        () => shell.list(body.body),
      )
    case 'for':
      return forCommand(shell, body)
    case 'select':
      return select(shell, body)
    case 'forArithmetic':
      return forArithmetic(shell, body)
    case 'case':
      return caseCommand(shell, body)
    default:
      return evaluation(shell, body)
  }
}

type Body<Type extends Compound['body']['type']> = Compound['body'] & { type: Type }

async function subshell(shell: Shell, list: List, line: number): Promise<number> {
  const child = shell.process.machine.fork(shell.process)
  if (shell.interactive) child.pgid = child.pid
  shell.runForked(child, { type: 'compound', body: { type: 'group', list }, redirections: [], line })
  const [status] = await shell.foreground([child])
  return (shell.status = (status as ExitStatus).code)
}

async function ifCommand(shell: Shell, body: Body<'if'>): Promise<number> {
  for (const branch of body.branches) {
    if (await condition(shell, branch.condition)) return await shell.list(branch.body)
    if (shell.jump) return shell.status
  }
  if (body.otherwise) return await shell.list(body.otherwise)
  return (shell.status = 0)
}

async function forCommand(shell: Shell, body: Body<'for'>): Promise<number> {
  const words = body.words ? await expandWords(shell, body.words) : [...shell.positional]
  let index = 0
  return await loop(
    shell,
    () => {
      if (index >= words.length) return false
      shell.variables.set(body.name, words[index++] as string)
      return true
    },
    () => shell.list(body.body),
  )
}

async function forArithmetic(shell: Shell, body: Body<'forArithmetic'>): Promise<number> {
  await evaluateWord(shell, body.start)
  let first = true
  return await loop(
    shell,
    async () => {
      if (!first) await evaluateWord(shell, body.step)
      first = false
      return body.condition.text.trim() === '' || (await evaluateWord(shell, body.condition)) !== 0n
    },
    () => shell.list(body.body),
  )
}

async function evaluation(shell: Shell, body: Body<'arithmetic' | 'test'>): Promise<number> {
  const holds = body.type === 'test' ? await evaluateTest(shell, body.expression) : (await evaluateWord(shell, body.expression)) !== 0n
  return (shell.status = holds ? 0 : 1)
}

async function caseCommand(shell: Shell, body: Body<'case'>): Promise<number> {
  const subject = await expandText(shell, body.word)
  shell.status = 0
  let falling = false
  for (const branch of body.branches) {
    let hit = falling
    for (const pattern of branch.patterns) {
      if (hit) break
      const expanded = expandPattern(shell, pattern)
      hit = matches(expanded instanceof Promise ? await expanded : expanded, subject, shell.shopt.has('nocasematch'))
    }
    if (!hit) continue
    await shell.list(branch.body)
    if (branch.end === ';;' || shell.jump) return shell.status
    falling = branch.end === ';&'
  }
  return shell.status
}

async function select(shell: Shell, body: Body<'select'>): Promise<number> {
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

async function loop(shell: Shell, more: () => Promise<boolean> | boolean, body: () => Promise<number>): Promise<number> {
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
