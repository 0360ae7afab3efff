import type { Process } from '../kernel/process.ts'
import { matches } from '../shell/pattern.ts'
import { type Node, sizeOf } from '../vfs/node.ts'
import { runCommand } from './run-command.ts'
import type { Output } from './text.ts'

export interface Visit {
  path: string
  node: Node
  out: Output
  state: { pruned: boolean }
}

type Test = (visit: Visit) => Promise<boolean>

export interface FindPlan {
  maxDepth: number
  minDepth: number
  depthFirst: boolean
  /** Of links, what they lead to is looked at. */
  follow: boolean
  test: Test
  /** Runs what -exec .. + has gathered. */
  finish: (out: Output) => Promise<void>
}

/** Compiles find's expression; a text is the complaint about it. */
export function compileFind(process: Process, args: readonly string[]): FindPlan | string {
  const plan: FindPlan = {
    maxDepth: Number.POSITIVE_INFINITY,
    minDepth: 0,
    depthFirst: false,
    follow: false,
    test: async () => true,
    finish: async () => {},
  }
  const finishers: ((out: Output) => Promise<void>)[] = []
  let at = 0
  let acts = false
  let problem: string | undefined
  const value = () => {
    const text = args[at++]
    if (text === undefined) problem ??= 'missing argument'
    return text ?? ''
  }
  const or = (): Test => {
    let left = and()
    while (args[at] === '-o' || args[at] === '-or') {
      at++
      const before = left
      const right = and()
      left = async (visit) => (await before(visit)) || (await right(visit))
    }
    return left
  }
  const and = (): Test => {
    let left = not()
    while (args[at] !== undefined && args[at] !== ')' && args[at] !== '-o' && args[at] !== '-or') {
      if (args[at] === '-a' || args[at] === '-and') at++
      const before = left
      const right = not()
      left = async (visit) => (await before(visit)) && (await right(visit))
    }
    return left
  }
  const not = (): Test => {
    if (args[at] === '!' || args[at] === '-not') {
      at++
      const inner = not()
      return async (visit) => !(await inner(visit))
    }
    if (args[at] === '(') {
      at++
      const inner = or()
      at++
      return inner
    }
    return primary()
  }
  const numeric = (text: string, of: (visit: Visit) => number): Test => {
    const wanted = Number.parseInt(text.replace(/^[-+]/, ''), 10)
    return async (visit) => (text.startsWith('+') ? of(visit) > wanted : text.startsWith('-') ? of(visit) < wanted : of(visit) === wanted)
  }
  const primary = (): Test => {
    const word = args[at++]
    switch (word) {
      case undefined:
        return async () => true
      case '-name':
      case '-iname': {
        const pattern = value()
        return async ({ path }) => matches(pattern, path.slice(path.lastIndexOf('/') + 1) || path, word === '-iname')
      }
      case '-path':
      case '-wholename': {
        const pattern = value()
        return async ({ path }) => matches(pattern, path)
      }
      case '-type': {
        const kind = { f: 'file', d: 'dir', l: 'link', p: 'fifo', c: 'device', b: 'block' }[value()]
        return async ({ node }) => node.type === kind
      }
      case '-size': {
        const text = value()
        const unit = { c: 1, k: 1024, M: 1024 ** 2, G: 1024 ** 3, b: 512 }[text.at(-1) as string] ?? 512
        return numeric(text, ({ node }) => Math.ceil(sizeOf(node) / unit))
      }
      case '-mtime':
        return numeric(value(), ({ node }) => Math.floor((process.machine.now() - node.mtime) / 86_400_000))
      case '-mmin':
        return numeric(value(), ({ node }) => Math.floor((process.machine.now() - node.mtime) / 60_000))
      case '-newer': {
        const reference = process.fs.find(value(), process.who)?.mtime ?? 0
        return async ({ node }) => node.mtime > reference
      }
      case '-perm': {
        const text = value()
        const bits = Number.parseInt(text.replace(/^[-/+]/, ''), 8)
        return async ({ node }) =>
          text.startsWith('-') ? (node.mode & bits) === bits : /^[/+]/.test(text) ? (node.mode & bits) !== 0 : (node.mode & 0o7777) === bits
      }
      case '-user': {
        const user = value()
        return async ({ node }) => String(node.uid) === user || (user === 'root' && node.uid === 0)
      }
      case '-empty':
        return async ({ node }) => (node.type === 'dir' ? node.entries.size === 0 : sizeOf(node) === 0)
      case '-maxdepth':
        plan.maxDepth = Number(value())
        return async () => true
      case '-mindepth':
        plan.minDepth = Number(value())
        return async () => true
      case '-depth':
        plan.depthFirst = true
        return async () => true
      case '-xdev':
      case '-mount':
      case '-follow':
        plan.follow = true
        return async () => true
      case '-true':
        return async () => true
      case '-false':
        return async () => false
      case '-prune':
        return async ({ state }) => {
          state.pruned = true
          return true
        }
      case '-print':
        acts = true
        return async ({ path, out }) => {
          await out.line(path)
          return true
        }
      case '-print0':
        acts = true
        return async ({ path, out }) => {
          await out.add(`${path}\0`)
          return true
        }
      case '-quit':
        return async ({ out }) => {
          await out.flush()
          process.end({ code: 0 })
          return true
        }
      case '-delete':
        acts = true
        plan.depthFirst = true
        return async ({ path, node }) => {
          if (node.type === 'dir') process.fs.rmdir(path, process.who)
          else process.fs.unlink(path, process.who)
          return true
        }
      case '-exec': {
        acts = true
        const command: string[] = []
        while (args[at] !== undefined && args[at] !== ';' && !(args[at] === '+' && command.at(-1) === '{}'))
          command.push(args[at++] as string)
        const gather = args[at++] === '+'
        if (!gather) {
          return async ({ path, out }) => {
            await out.flush()
            return (
              (await runCommand(
                process,
                command.map((each) => each.replaceAll('{}', path)),
              )) === 0
            )
          }
        }
        const gathered: string[] = []
        finishers.push(async (out) => {
          await out.flush()
          if (gathered.length > 0) await runCommand(process, [...command.slice(0, -1), ...gathered])
        })
        return async ({ path }) => {
          gathered.push(path)
          return true
        }
      }
      default:
        problem ??= `unrecognized: ${word}`
        return async () => true
    }
  }
  const test = or()
  if (problem) return problem
  plan.test = acts
    ? test
    : async (visit) => {
        if (!(await test(visit))) return false
        await visit.out.line(visit.path)
        return true
      }
  plan.finish = async (out) => {
    for (const finish of finishers) await finish(out)
  }
  return plan
}
