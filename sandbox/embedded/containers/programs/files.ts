import type { Process, Run } from '../kernel/process.ts'
import { Errno } from '../vfs/errno.ts'
import { inodeOf, type LinkNode, type Node, sizeOf } from '../vfs/node.ts'
import { compileFind } from './find-expression.ts'
import { human, modeText, ownerName, parseMode, shortTime } from './format.ts'
import { badOption, parseOptions } from './options.ts'
import { Output } from './text.ts'
import { usage } from './usage.ts'

/** Programs on files and directories, in busybox' wording. */
export const filePrograms: Record<string, Run> = {
  ls,
  mkdir,
  rmdir,
  rm,
  mv,
  cp,
  ln,
  touch,
  chmod,
  chown,
  chgrp: chown,
  stat,
  du,
  find,
  readlink,
  realpath,
  mktemp,
  mkfifo,
  truncate,
  install: cp,
}

export function join(folder: string, name: string): string {
  return folder.endsWith('/') ? folder + name : `${folder}/${name}`
}

export function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1)
}

/** Runs an action; a failed system call becomes "name: text" on stderr and false. */
async function attempt(process: Process, wording: (error: Errno) => string, action: () => void | Promise<void>): Promise<boolean> {
  try {
    await action()
    return true
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    await process.complain(`${process.name}: ${wording(error)}\n`)
    return false
  }
}

async function ls(process: Process): Promise<number> {
  const options = parseOptions(process.args, '1aAlhdFiRrtSsncCxpTLHgo', {
    all: 'a',
    color: '0',
    'color=?': '0',
    'almost-all': 'A',
    recursive: 'R',
    'human-readable': 'h',
    'full-time': 'e',
  })
  const bad = badOption(options)
  if (bad) return usage(process, bad)
  const { flags } = options
  const out = new Output(process)
  let status = 0
  const files: [string, Node][] = []
  const folders: string[] = []
  const operands = options.operands.length > 0 ? options.operands.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)) : ['.']
  for (const path of operands) {
    const node =
      process.fs.find(path, process.who, !flags.has('l') || flags.has('L') || path.endsWith('/')) ??
      process.fs.find(path, process.who, false)
    if (!node) {
      await process.complain(`${process.name}: ${path}: ${whyMissing(process, path)}\n`)
      status = 1
    } else if (node.type === 'dir' && !flags.has('d')) folders.push(path)
    else files.push([path, node])
  }
  const show = async (entries: [string, Node][]) => {
    if (flags.has('t')) entries.sort((a, b) => b[1].mtime - a[1].mtime)
    if (flags.has('S')) entries.sort((a, b) => sizeOf(b[1]) - sizeOf(a[1]))
    if (flags.has('r')) entries.reverse()
    const label = (name: string, node: Node) => {
      const mark =
        flags.has('F') || flags.has('p')
          ? node.type === 'dir'
            ? '/'
            : flags.has('p')
              ? ''
              : node.type === 'link'
                ? '@'
                : node.mode & 0o111
                  ? '*'
                  : ''
          : ''
      return `${flags.has('i') ? `${inodeOf(node)} ` : ''}${name}${mark}`
    }
    if (flags.has('l') || flags.has('n') || flags.has('g') || flags.has('o')) {
      for (const [name, node] of entries) {
        const unknown = node.type === 'link' ? readLink(node, process) : undefined
        if (unknown instanceof Errno) {
          await process.complain(`${process.name}: ${name}: cannot read link: ${unknown.message}\n`)
          status = 1
        }
        await out.line(longLine(process, name, node, flags))
      }
      return
    }
    const names = entries.map(([name, node]) => label(name, node))
    const terminal = process.files.get(1)?.kind === 'tty'
    if (!terminal || flags.has('1')) for (const name of names) await out.line(name)
    else if (names.length > 0) await out.add(columns(names, process.terminal?.cols ?? 80))
  }
  await show(files)
  const several = folders.length + files.length > 1 || flags.has('R')
  let first = files.length === 0
  const pending = [...folders]
  while (pending.length > 0) {
    const folder = pending.shift() as string
    let entries: [string, Node][] = []
    const fine = await attempt(
      process,
      (error) => `can't open '${folder}': ${error.message}`,
      () => {
        entries = process.fs.list(folder, process.who)
      },
    )
    if (!fine) {
      status = 1
      continue
    }
    if (several) await out.line(`${first ? '' : '\n'}${folder}:`)
    first = false
    const visible = entries.filter(([name]) => flags.has('a') || flags.has('A') || !name.startsWith('.'))
    if (flags.has('a')) {
      const here = process.fs.lookup(folder, process.who)
      const up = process.fs.find(join(folder, '..'), process.who) ?? here
      visible.unshift(['.', here], ['..', up])
    }
    if (flags.has('l')) await out.line(`total ${visible.reduce((sum, [, node]) => sum + blocks(node), 0)}`)
    await show(visible)
    if (flags.has('R'))
      pending.unshift(
        ...visible.filter(([name, node]) => node.type === 'dir' && name !== '.' && name !== '..').map(([name]) => join(folder, name)),
      )
  }
  await out.flush()
  return status
}

function blocks(node: Node): number {
  return node.type === 'file' ? Math.ceil(node.size / 4096) * 4 : node.type === 'dir' && !node.dynamic ? 4 : 0
}

function whyMissing(process: Process, path: string): string {
  try {
    process.fs.lookup(path, process.who)
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    return error.message
  }
  return new Errno('ENOENT').message
}

/** Where a link leads, or why one may not know. */
function readLink(node: LinkNode, process: Process): string | Errno {
  try {
    return node.follow ? node.follow(process) : node.target
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    return error
  }
}

function longLine(process: Process, name: string, node: Node, flags: ReadonlyMap<string, number>): string {
  const numeric = flags.has('n')
  const owner = ownerName(process, node.uid, 'passwd', numeric).padEnd(8)
  const group = ownerName(process, node.gid, 'group', numeric).padEnd(8)
  const size =
    node.type === 'device'
      ? `${node.major}, ${String(node.minor).padStart(3)}`.padStart(9)
      : (flags.has('h') ? human(sizeOf(node)) : String(sizeOf(node))).padStart(9)
  const links = node.type === 'dir' ? 2 + (node.dynamic ? 0 : [...node.entries.values()].filter((child) => child.type === 'dir').length) : 1
  const leads = node.type === 'link' ? readLink(node, process) : ''
  const target = node.type === 'link' && !(leads instanceof Errno) ? ` -> ${leads}` : ''
  const mark = flags.has('F') && node.type === 'dir' ? '/' : ''
  const time = flags.has('e')
    ? new Date(node.mtime).toISOString().replace('T', ' ').replace('Z', ' +0000')
    : shortTime(node.mtime, process.machine.now())
  return `${flags.has('i') ? `${String(inodeOf(node)).padStart(7)} ` : ''}${modeText(node)} ${String(links).padStart(4)} ${owner} ${group} ${size} ${time} ${name}${mark}${target}`
}

function columns(names: readonly string[], width: number): string {
  const longest = Math.max(...names.map((name) => name.length)) + 2
  const count = Math.max(1, Math.floor(width / longest))
  const rows = Math.ceil(names.length / count)
  let text = ''
  for (let row = 0; row < rows; row++) {
    const cells: string[] = []
    for (let column = row; column < names.length; column += rows) cells.push(names[column] as string)
    text += `${cells.map((cell, index) => (index === cells.length - 1 ? cell : cell.padEnd(longest))).join('')}\n`
  }
  return text
}

async function mkdir(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'pm:v', { parents: 'p', 'mode=': 'm' })
  if (options.operands.length === 0) return usage(process, 'missing operand')
  const mode = options.values.get('m')?.[0]
  let status = 0
  for (const path of options.operands) {
    const fine = await attempt(
      process,
      (error) => `can't create directory '${path}': ${error.message}`,
      () => {
        if (options.flags.has('p')) process.fs.mkdirs(path, process.who)
        else process.fs.mkdir(path, process.who)
        if (mode !== undefined) process.fs.change(path, process.who).mode = parseMode(mode, 0o777, true, process.umask)
      },
    )
    if (!fine) status = 1
  }
  return status
}

async function rmdir(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'p', { 'ignore-fail-on-non-empty': 'i' })
  let status = 0
  for (const path of options.operands)
    if (
      !(await attempt(
        process,
        (error) => `'${path}': ${error.message}`,
        () => process.fs.rmdir(path, process.who),
      ))
    )
      status = 1
  return status
}

async function rm(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'rRfiv', { recursive: 'r', force: 'f' })
  const bad = badOption(options)
  if (bad) return usage(process, bad)
  const force = options.flags.has('f')
  if (options.operands.length === 0) return force ? 0 : usage(process, 'missing operand')
  const recursive = options.flags.has('r') || options.flags.has('R')
  let status = 0
  for (const path of options.operands) {
    const node = process.fs.find(path, process.who, false)
    if (!node) {
      if (!force) {
        await process.complain(`${process.name}: can't remove '${path}': No such file or directory\n`)
        status = 1
      }
      continue
    }
    if (/^(?:\.|\.\.)$/.test(baseName(path))) {
      await process.complain(`${process.name}: can't remove '.' or '..'\n`)
      status = 1
      continue
    }
    if (node.type === 'dir' && !recursive) {
      await process.complain(`${process.name}: '${path}' is a directory\n`)
      status = 1
      continue
    }
    if (!(await removeTree(process, path, node))) status = 1
  }
  return status
}

async function removeTree(process: Process, path: string, node: Node): Promise<boolean> {
  const wait = process.spend(5000)
  if (wait) await wait
  let fine = true
  if (node.type === 'dir') {
    for (const [name, child] of process.fs.list(path, process.who)) fine = (await removeTree(process, join(path, name), child)) && fine
  }
  const action = () => (node.type === 'dir' ? process.fs.rmdir(path, process.who) : process.fs.unlink(path, process.who))
  return (await attempt(process, (error) => `can't remove '${path}': ${error.message}`, action)) && fine
}

function target(
  process: Process,
  operands: readonly string[],
  folder: string | undefined,
): { sources: readonly string[]; to: (source: string) => string } | string {
  const into = folder ?? operands.at(-1)
  const sources = folder === undefined ? operands.slice(0, -1) : operands
  if (into === undefined || sources.length === 0) return 'missing operand'
  const isFolder = process.fs.find(into, process.who)?.type === 'dir'
  if (sources.length > 1 && !isFolder) return `target '${into}' is not a directory`
  return { sources, to: (source) => (isFolder ? join(into, baseName(source)) : into) }
}

async function mv(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'fiTnvt:', { force: 'f' })
  const where = target(process, options.operands, options.values.get('t')?.[0])
  if (typeof where === 'string') return usage(process, where)
  let status = 0
  for (const source of where.sources) {
    const to = where.to(source)
    const fine = await attempt(
      process,
      (error) => `can't rename '${source}': ${error.message}`,
      async () => {
        try {
          process.fs.rename(source, to, process.who)
        } catch (error) {
          if (!(error instanceof Errno) || error.code !== 'EXDEV') throw error
          await copy(process, source, to, true, true)
          await removeTree(process, source, process.fs.lookup(source, process.who, false))
        }
      },
    )
    if (!fine) status = 1
  }
  return status
}

async function cp(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'aRrdpfivLPHTsult:Dm:o:g:', { recursive: 'r', archive: 'a', force: 'f', parents: '0' })
  const bad = badOption(options)
  if (bad) return usage(process, bad)
  const where = target(process, options.operands, options.values.get('t')?.[0])
  if (typeof where === 'string') return usage(process, where)
  const archive = options.flags.has('a')
  const recursive = archive || options.flags.has('r') || options.flags.has('R')
  let status = 0
  for (const source of where.sources) {
    const node = process.fs.find(source, process.who)
    if (!node) {
      await process.complain(`${process.name}: can't stat '${source}': No such file or directory\n`)
      status = 1
    } else if (node.type === 'dir' && !recursive) {
      await process.complain(`${process.name}: omitting directory '${source}'\n`)
      status = 1
    } else if (
      !(await attempt(
        process,
        (error) => `can't create '${where.to(source)}': ${error.message}`,
        () => copy(process, source, where.to(source), archive || options.flags.has('p'), archive || options.flags.has('d')),
      ))
    )
      status = 1
  }
  return status
}

async function copy(process: Process, from: string, to: string, preserve: boolean, links: boolean): Promise<void> {
  const { fs, who } = process
  const node = fs.lookup(from, who, !links)
  if (node.type === 'dir') {
    if (!fs.find(to, who)) fs.mkdir(to, who, node.mode | 0o200)
    for (const [name] of fs.list(from, who)) await copy(process, join(from, name), join(to, name), preserve, true)
  } else if (node.type === 'link') {
    if (fs.find(to, who, false)) fs.unlink(to, who)
    fs.symlink(node.target, to, who)
    return
  } else {
    const source = process.open(from, 'read').retain()
    const sink = process.open(to, 'write', node.mode).retain()
    try {
      for (;;) {
        const chunk = await source.read(65536, process)
        if (chunk.length === 0) break
        await sink.write(chunk, process)
        const wait = process.spend(chunk.length * 5)
        if (wait) await wait
      }
    } finally {
      source.release()
      sink.release()
    }
  }
  if (preserve) {
    const copied = fs.change(to, who)
    copied.mode = node.mode
    copied.mtime = node.mtime
    if (who.uid === 0) {
      copied.uid = node.uid
      copied.gid = node.gid
    }
  }
}

async function ln(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'sfnvT', { symbolic: 's', force: 'f' })
  const [from, to = '.'] = options.operands
  if (from === undefined) return usage(process, 'missing operand')
  const { fs, who } = process
  const existing = fs.find(to, who, !options.flags.has('n'))
  const path = existing?.type === 'dir' && !options.flags.has('T') ? join(to, baseName(from)) : to
  const fine = await attempt(
    process,
    (error) => `${error.code === 'ENOENT' && !options.flags.has('s') ? from : path}: ${error.message}`,
    () => {
      if (options.flags.has('f') && fs.find(path, who, false)) fs.unlink(path, who)
      if (options.flags.has('s')) fs.symlink(from, path, who)
      else fs.link(from, path, who)
    },
  )
  return fine ? 0 : 1
}

async function touch(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'cd:t:r:amhf', { 'no-create': 'c', 'date=': 'd', 'reference=': 'r' })
  if (options.operands.length === 0) return usage(process, 'missing operand')
  let time = process.machine.now()
  const date = options.values.get('d')?.[0]
  if (date !== undefined)
    time = /^@\d+$/.test(date)
      ? Number(date.slice(1)) * 1000
      : Date.parse(`${date.replace(' ', 'T')}${/[zZ]$|[+-]\d\d:?\d\d$/.test(date) ? '' : 'Z'}`)
  const reference = options.values.get('r')?.[0]
  if (reference !== undefined) time = process.fs.find(reference, process.who)?.mtime ?? time
  if (Number.isNaN(time)) return process.fail(`invalid date '${date}'`)
  let status = 0
  for (const path of options.operands) {
    const fine = await attempt(
      process,
      (error) => `${path}: ${error.message}`,
      () => {
        if (process.fs.touch(path, process.who, time) || options.flags.has('c')) return
        process.fs.write(path, '', process.who)
        process.fs.touch(path, process.who, time)
      },
    )
    if (!fine) status = 1
  }
  return status
}

async function chmod(process: Process): Promise<number> {
  const args = [...process.args]
  const recursive = args.some((arg) => arg === '-R')
  const [mode, ...paths] = args.filter((arg) => !/^-[Rvcf]+$/.test(arg))
  if (mode === undefined || paths.length === 0) return usage(process, 'missing operand')
  let status = 0
  for (const path of paths) {
    if (
      !(await walk(process, path, recursive, (each) =>
        attempt(
          process,
          (error) => `${each}: ${error.message}`,
          () => {
            const node = process.fs.change(each, process.who)
            node.mode = parseMode(mode, node.mode, node.type === 'dir', process.umask)
          },
        ),
      ))
    )
      status = 1
  }
  return status
}

async function chown(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'Rhvcf', {})
  const [owner, ...paths] = options.operands
  if (owner === undefined || paths.length === 0) return usage(process, 'missing operand')
  const [user = '', group] = process.name === 'chgrp' ? ['', owner] : owner.split(/[:.]/)
  const uid = user === '' ? undefined : await identity(process, user, 'passwd')
  const gid = group === undefined || group === '' ? undefined : await identity(process, group, 'group')
  if (uid === -1) return process.fail(`unknown user ${user}`)
  if (gid === -1) return process.fail(`unknown group ${group}`)
  let status = 0
  for (const path of paths) {
    if (
      !(await walk(process, path, options.flags.has('R'), (each) =>
        attempt(
          process,
          (error) => `${each}: ${error.message}`,
          () => {
            process.fs.giveTo(each, { uid, gid }, process.who, !options.flags.has('h'))
          },
        ),
      ))
    )
      status = 1
  }
  return status
}

async function identity(process: Process, name: string, table: 'passwd' | 'group'): Promise<number> {
  if (/^\d+$/.test(name)) return Number(name)
  if (!process.fs.find(`/etc/${table}`, process.who)) return -1
  const text = new TextDecoder().decode(await process.readWhole(`/etc/${table}`))
  const row = text.split('\n').find((line) => line.startsWith(`${name}:`))
  return row === undefined ? -1 : Number(row.split(':')[2])
}

async function walk(process: Process, path: string, deep: boolean, action: (path: string) => Promise<boolean>): Promise<boolean> {
  let fine = await action(path)
  if (deep && process.fs.find(path, process.who, false)?.type === 'dir') {
    for (const [name] of process.fs.list(path, process.who)) fine = (await walk(process, join(path, name), true, action)) && fine
  }
  return fine
}

async function stat(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'c:Ltf', { 'format=': 'c', dereference: 'L' })
  const format = options.values.get('c')?.[0]
  let status = 0
  for (const path of options.operands) {
    const node = process.fs.find(path, process.who, options.flags.has('L'))
    if (!node) {
      await process.complain(`${process.name}: can't stat '${path}': No such file or directory\n`)
      status = 1
      continue
    }
    const kind = {
      file: sizeOf(node) === 0 ? 'regular empty file' : 'regular file',
      dir: 'directory',
      link: 'symbolic link',
      device: 'character special file',
      fifo: 'fifo',
    }[node.type]
    const time = new Date(node.mtime).toISOString().replace('T', ' ').replace('Z', '000000 +0000')
    const permissions = (node.mode & 0o7777).toString(8)
    const values: Record<string, string> = {
      n: path,
      N: node.type === 'link' ? `'${path}' -> '${node.target}'` : `'${path}'`,
      s: String(sizeOf(node)),
      a: permissions,
      A: modeText(node),
      u: String(node.uid),
      g: String(node.gid),
      U: ownerName(process, node.uid, 'passwd', false),
      G: ownerName(process, node.gid, 'group', false),
      F: kind,
      i: String(inodeOf(node)),
      h: '1',
      b: String(blocks(node) * 2),
      B: '512',
      o: '4096',
      y: time,
      x: time,
      z: time,
      Y: String(Math.floor(node.mtime / 1000)),
      X: String(Math.floor(node.mtime / 1000)),
      Z: String(Math.floor(node.mtime / 1000)),
      d: '66306',
      D: 'fd02',
      m: '/',
      t: '0',
      T: '0',
      f: ({ file: 0o100000, dir: 0o40000, link: 0o120000, device: 0o20000, fifo: 0o10000 }[node.type] | node.mode).toString(16),
    }
    if (format !== undefined)
      await process.print(
        `${format.replace(/%([a-zA-Z%])/g, (whole, letter: string) => (letter === '%' ? '%' : (values[letter] ?? whole)))}\n`,
      )
    else {
      await process.print(
        `  File: ${path}${node.type === 'link' ? ` -> ${node.target}` : ''}\n  Size: ${String(sizeOf(node)).padEnd(10)}\tBlocks: ${String(blocks(node) * 2).padEnd(10)} IO Block: 4096   ${kind}\nDevice: fd02h/64770d\tInode: ${String(inodeOf(node)).padEnd(10)}  Links: 1\nAccess: (${permissions.padStart(4, '0')}/${modeText(node)})  Uid: (${String(node.uid).padStart(5)}/${(values['U'] as string).padStart(8)})   Gid: (${String(node.gid).padStart(5)}/${(values['G'] as string).padStart(8)})\nAccess: ${time}\nModify: ${time}\nChange: ${time}\n`,
      )
    }
  }
  return status
}

async function du(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'shakmcd:xL', { 'max-depth=': 'd' })
  const { flags } = options
  const depthLimit = flags.has('s') ? 0 : Number(options.values.get('d')?.[0] ?? Number.POSITIVE_INFINITY)
  const out = new Output(process)
  let status = 0
  const line = (kib: number, path: string) =>
    out.line(`${flags.has('h') ? human(kib * 1024) : flags.has('m') ? Math.ceil(kib / 1024) : kib}\t${path}`)
  const measure = async (path: string, node: Node, depth: number): Promise<number> => {
    let sum = blocks(node)
    if (node.type === 'dir' && !node.dynamic)
      for (const [name, child] of process.fs.list(path, process.who)) sum += await measure(join(path, name), child, depth + 1)
    if (depth <= depthLimit && (node.type === 'dir' || flags.has('a') || depth === 0)) await line(sum, path)
    return sum
  }
  let total = 0
  for (const path of options.operands.length > 0 ? options.operands : ['.']) {
    const node = process.fs.find(path, process.who, false)
    if (node) total += await measure(path, node, 0)
    else {
      await process.complain(`${process.name}: ${path}: No such file or directory\n`)
      status = 1
    }
  }
  if (flags.has('c')) await line(total, 'total')
  await out.flush()
  return status
}

/** Links are followed no deeper, so that those which lead back end somewhere. */
const mostLinks = 40

async function find(process: Process): Promise<number> {
  const args = [...process.args]
  const roots: string[] = []
  const follows = args[0] === '-L'
  while (args[0] === '-L' || args[0] === '-P' || args[0] === '-H') args.shift()
  while (args[0] !== undefined && !/^[-(!]/.test(args[0])) roots.push(args.shift() as string)
  const plan = compileFind(process, args)
  if (typeof plan === 'string') return process.fail(plan)
  plan.follow ||= follows
  const out = new Output(process)
  let status = 0
  const visit = async (path: string, node: Node, depth: number): Promise<void> => {
    const wait = process.spend(3000)
    if (wait) await wait
    const inner = async () => {
      if (node.type !== 'dir' || depth >= plan.maxDepth) return
      let entries: [string, Node][] = []
      const fine = await attempt(
        process,
        (error) => `${path}: ${error.message}`,
        () => {
          entries = process.fs.list(path, process.who)
        },
      )
      if (!fine) status = 1
      for (const [name, child] of entries) {
        const inside = join(path, name)
        const followed = plan.follow && child.type === 'link' && depth < mostLinks ? process.fs.find(inside, process.who) : undefined
        await visit(inside, followed ?? child, depth + 1)
      }
    }
    const state = { pruned: false }
    if (plan.depthFirst) await inner()
    if (depth >= plan.minDepth) await plan.test({ path, node, out, state })
    if (!plan.depthFirst && !state.pruned) await inner()
  }
  for (const root of roots.length > 0 ? roots : ['.']) {
    const node = process.fs.find(root, process.who, plan.follow) ?? process.fs.find(root, process.who, false)
    if (node) await visit(root, node, 0)
    else {
      await process.complain(`${process.name}: ${root}: No such file or directory\n`)
      status = 1
    }
  }
  await plan.finish(out)
  await out.flush()
  return status
}

async function readlink(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'fnvem', { canonicalize: 'f' })
  for (const path of options.operands) {
    if (options.flags.has('f') || options.flags.has('e') || options.flags.has('m')) {
      try {
        await process.print(`${process.fs.locate(path, process.who).path}\n`)
      } catch (error) {
        if (!(error instanceof Errno)) throw error
        return 1
      }
      continue
    }
    const node = process.fs.find(path, process.who, false)
    if (node?.type !== 'link') return 1
    const target = readLink(node, process)
    if (target instanceof Errno) return 1
    await process.print(`${target}${options.flags.has('n') ? '' : '\n'}`)
  }
  return 0
}

async function realpath(process: Process): Promise<number> {
  let status = 0
  for (const path of process.args.filter((arg) => !arg.startsWith('-'))) {
    const fine = await attempt(
      process,
      (error) => `${path}: ${error.message}`,
      () => process.print(`${process.fs.locate(path, process.who).path}\n`),
    )
    if (!fine) status = 1
  }
  return status
}

async function mktemp(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'dqtup:', { directory: 'd', 'tmpdir=': 'p' })
  const folder = options.values.get('p')?.[0] ?? process.env.get('TMPDIR') ?? '/tmp'
  const template = options.operands[0] ?? `${folder}/tmp.XXXXXX`
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
  const path = template.replace(/X{3,}$/, (all) =>
    Array.from(all, () => letters[Math.floor(process.machine.random() * letters.length)]).join(''),
  )
  const fine = await attempt(
    process,
    (error) => `: ${error.message}`,
    () => {
      if (options.flags.has('u')) return
      if (options.flags.has('d')) process.fs.mkdir(path, process.who, 0o700)
      else process.fs.write(path, '', process.who, 0o600)
    },
  )
  if (!fine) return 1
  await process.print(`${path}\n`)
  return 0
}

async function mkfifo(process: Process): Promise<number> {
  let status = 0
  for (const path of process.args.filter((arg) => !arg.startsWith('-'))) {
    const fine = await attempt(
      process,
      (error) => `${path}: ${error.message}`,
      () =>
        process.fs.place(
          path,
          { type: 'fifo', mode: 0o644, uid: process.uid, gid: process.gid, mtime: 0, owner: undefined, pipe: undefined },
          process.who,
        ),
    )
    if (!fine) status = 1
  }
  return status
}

async function truncate(process: Process): Promise<number> {
  const options = parseOptions(process.args, 's:c', { 'size=': 's' })
  const match = /^(\d+)([kKmMgG]?)$/.exec(options.values.get('s')?.[0] ?? '')
  if (!match) return process.fail('you must specify a size')
  const size = Number(match[1]) * ({ '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(match[2] as string).toLowerCase()] as number)
  for (const path of options.operands) {
    const fine = await attempt(
      process,
      (error) => `${path}: ${error.message}`,
      () => {
        const { node, tree } = process.fs.openForWriting(path, process.who)
        if (node.type !== 'file') return
        if (!node.live) tree.truncate(node, size)
        else if (size === 0) node.live.truncate()
        else throw new Errno('EPERM')
      },
    )
    if (!fine) return 1
  }
  return 0
}
