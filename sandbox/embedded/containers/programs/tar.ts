import type { Process } from '../kernel/process.ts'
import { Errno } from '../vfs/errno.ts'
import { contentOf, type Node } from '../vfs/node.ts'
import { gunzipped, gzipped } from './compression.ts'
import { join } from './files.ts'
import { formatTime, modeText, ownerName } from './format.ts'
import { last, parseOptions } from './options.ts'
import { readBytes } from './text.ts'

const block = 512

/** tar in ustar format with GNU and pax long names: create, extract, list; gzip with z. kubectl cp needs it. */
export async function tar(process: Process): Promise<number> {
  const [first = '', ...rest] = process.args
  const args = first.startsWith('-') ? process.args : bundled(first, rest)
  const options = parseOptions(args, 'cxtf:C:zvmpOhkoTX:jP', {
    create: 'c',
    extract: 'x',
    list: 't',
    'file=': 'f',
    'directory=': 'C',
    gzip: 'z',
    verbose: 'v',
    touch: 'm',
    'to-stdout': 'O',
    'no-same-owner': 'o',
    'exclude=': 'X',
    'same-permissions': 'p',
    'no-same-permissions': 'q',
    'strip-components=': 'S',
    dereference: 'h',
    'warning=': 'w',
    'keep-old-files': 'k',
  })
  if (options.unknown) return process.fail(`unrecognized option: ${options.unknown}`)
  const archive = last(options, 'f') ?? '-'
  const folder = last(options, 'C')
  const origin = process.cwd
  const file = archive === '-' || archive.startsWith('/') ? archive : join(origin, archive)
  try {
    if (folder !== undefined) {
      const node = process.fs.find(folder, process.who)
      if (node?.type !== 'dir')
        return await process.fail(`can't change directory to '${folder}': ${node ? 'Not a directory' : 'No such file or directory'}`)
      process.cwd = process.fs.locate(folder, process.who).path
    }
    if (options.flags.has('c')) return await create(process, file, options.operands, options.flags)
    const input = file === '-' ? process.files.get(0) : process.open(file, 'read')
    if (!input) return 1
    let content = await readBytes(process, input.retain())
    input.release()
    if (content[0] === 0x1f && content[1] === 0x8b) content = await gunzipped(process, content)
    return await extract(process, content, options.operands, options.flags, Number(last(options, 'S') ?? 0), options.values.get('X') ?? [])
  } catch (error) {
    if (error instanceof Errno) return process.fail(`can't open '${archive}': ${error.message}`)
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) return process.fail('invalid magic')
    throw error
  }
}

/** Old style: letters without a dash, their values following in order. */
function bundled(letters: string, rest: readonly string[]): string[] {
  const args: string[] = []
  const values = [...rest]
  for (const letter of letters) {
    args.push(`-${letter}`)
    if ('fCTX'.includes(letter)) args.push(values.shift() ?? '')
  }
  return [...args, ...values]
}

async function create(process: Process, target: string, paths: readonly string[], flags: ReadonlyMap<string, number>): Promise<number> {
  if (paths.length === 0) return process.fail('empty archive')
  const gzip = flags.has('z')
  const sink = target === '-' ? process.files.get(1) : process.open(target, 'write')
  if (!sink) return 1
  sink.retain()
  const parts: Uint8Array[] = []
  const emit = async (data: Uint8Array) => {
    if (gzip) parts.push(data)
    else await sink.write(data, process)
  }
  let status = 0
  let told = false
  const add = async (path: string): Promise<void> => {
    let node: Node
    try {
      node = process.fs.lookup(path, process.who, flags.has('h'))
    } catch (error) {
      if (!(error instanceof Errno)) throw error
      await process.complain(`tar: ${path}: ${error.message}\n`)
      status = 1
      return
    }
    const stored = path.replace(/^\/+/, '') || './'
    if (path.startsWith('/') && !told) await process.complain("tar: removing leading '/' from member names\n")
    told ||= path.startsWith('/')
    if (flags.has('v')) await process.write(target === '-' ? 2 : 1, `${stored}\n`)
    const content = node.type === 'file' ? contentOf(node, process).slice() : new Uint8Array(0)
    for (const header of headers(process, stored, node, content.length)) await emit(header)
    await emit(content)
    if (content.length % block !== 0) await emit(new Uint8Array(block - (content.length % block)))
    const wait = process.spend(content.length * 5 + 20_000)
    if (wait) await wait
    if (node.type === 'dir') for (const [name] of process.fs.list(path, process.who)) await add(join(path, name))
  }
  for (const path of paths) await add(path)
  if (status !== 0) await process.complain('tar: error exit delayed from previous errors\n')
  await emit(new Uint8Array(2 * block))
  if (gzip) await sink.write(await gzipped(process, Buffer.concat(parts)), process)
  sink.release()
  return status
}

function headers(process: Process, path: string, node: Node, size: number): Uint8Array[] {
  const name = node.type === 'dir' && !path.endsWith('/') ? `${path}/` : path
  const out: Uint8Array[] = []
  if (Buffer.byteLength(name) > 100) {
    const long = Buffer.from(`${name}\0`)
    out.push(
      header({
        name: '././@LongLink',
        mode: 0,
        uid: 0,
        gid: 0,
        size: long.length,
        mtime: 0,
        type: 'L',
        link: '',
        user: 'root',
        group: 'root',
      }),
    )
    out.push(Buffer.concat([long, new Uint8Array((block - (long.length % block)) % block)]))
  }
  out.push(
    header({
      name: Buffer.from(name).subarray(0, 100).toString(),
      mode: node.mode,
      uid: node.uid,
      gid: node.gid,
      size,
      mtime: Math.floor(node.mtime / 1000),
      type: { file: '0', dir: '5', link: '2', device: '3', fifo: '6' }[node.type],
      link: node.type === 'link' ? node.target : '',
      user: ownerName(process, node.uid, 'passwd', false),
      group: ownerName(process, node.gid, 'group', false),
    }),
  )
  return out
}

function header(fields: {
  name: string
  mode: number
  uid: number
  gid: number
  size: number
  mtime: number
  type: string
  link: string
  user: string
  group: string
}): Uint8Array {
  const data = Buffer.alloc(block)
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`
  data.write(fields.name, 0, 100)
  data.write(octal(fields.mode & 0o7777, 8), 100)
  data.write(octal(fields.uid, 8), 108)
  data.write(octal(fields.gid, 8), 116)
  data.write(octal(fields.size, 12), 124)
  data.write(octal(Math.max(0, fields.mtime), 12), 136)
  data.write('        ', 148)
  data.write(fields.type, 156)
  data.write(fields.link, 157, 100)
  data.write('ustar  \0', 257)
  data.write(fields.user.slice(0, 31), 265)
  data.write(fields.group.slice(0, 31), 297)
  let sum = 0
  for (const byte of data) sum += byte
  data.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return data
}

async function extract(
  process: Process,
  content: Uint8Array,
  wanted: readonly string[],
  flags: ReadonlyMap<string, number>,
  strip: number,
  excluded: readonly string[],
): Promise<number> {
  const data = Buffer.from(content.buffer, content.byteOffset, content.length)
  const text = (at: number, length: number) =>
    data
      .subarray(at, at + length)
      .toString()
      .replace(/\0.*$/s, '')
  const found = new Set<string>()
  let at = 0
  let longName: string | undefined
  let longLink: string | undefined
  let status = 0
  if (data.length < block) return process.fail('short read')
  while (at + block <= data.length && data[at] !== 0) {
    const size = Number.parseInt(text(at + 124, 12).trim() || '0', 8)
    const type = String.fromCharCode(data[at + 156] ?? 0)
    const body = data.subarray(at + block, at + block + size)
    const prefix = text(at + 257, 6) === 'ustar' && data[at + 263] !== 0x20 ? text(at + 345, 155) : ''
    const name = longName ?? (prefix ? `${prefix}/${text(at, 100)}` : text(at, 100))
    const link = longLink ?? text(at + 157, 100)
    const entry = {
      mode: Number.parseInt(text(at + 100, 8).trim() || '644', 8),
      uid: Number.parseInt(text(at + 108, 8).trim() || '0', 8),
      gid: Number.parseInt(text(at + 116, 8).trim() || '0', 8),
      mtime: Number.parseInt(text(at + 136, 12).trim() || '0', 8) * 1000,
    }
    at += block + Math.ceil(size / block) * block
    if (type === 'L' || type === 'K') {
      if (type === 'L') longName = body.toString().replace(/\0.*$/s, '')
      else longLink = body.toString().replace(/\0.*$/s, '')
      continue
    }
    if (type === 'x') {
      longName = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(body.toString())?.[1]
      longLink = /(?:^|\n)\d+ linkpath=([^\n]*)\n/.exec(body.toString())?.[1]
      continue
    }
    longName = undefined
    longLink = undefined
    if (type === 'g') continue
    const path = name.replace(/^\/+/, '').split('/').slice(strip).join('/')
    const choice = wanted.find(
      (each) => name === each || name.replace(/\/$/, '') === each || name.startsWith(`${each.replace(/\/$/, '')}/`),
    )
    if ((wanted.length > 0 && choice === undefined) || path === '' || excluded.some((each) => name.includes(each))) continue
    if (choice !== undefined) found.add(choice)
    if (flags.has('t')) {
      const kind: Node['type'] = type === '5' ? 'dir' : type === '2' ? 'link' : 'file'
      const label = flags.has('v')
        ? `${modeText({ type: kind, mode: entry.mode } as Node)} ${entry.uid}/${entry.gid} ${String(size).padStart(9)} ${formatTime('%F %T', entry.mtime)} `
        : ''
      await process.print(`${label}${name}${type === '2' && flags.has('v') ? ` -> ${link}` : ''}\n`)
      continue
    }
    if (flags.has('O')) {
      await process.print(body)
      continue
    }
    if (flags.has('v')) await process.print(`${name}\n`)
    try {
      unpack(process, path, type, link, body, entry, flags)
    } catch (error) {
      if (!(error instanceof Errno)) throw error
      await process.complain(`tar: can't open '${path}': ${error.message}\n`)
      status = 1
    }
    const wait = process.spend(size * 5 + 20_000)
    if (wait) await wait
  }
  for (const each of wanted) {
    if (found.has(each)) continue
    await process.complain(`tar: ${each}: not found in archive\n`)
    status = 1
  }
  return status
}

function unpack(
  process: Process,
  path: string,
  type: string,
  link: string,
  body: Uint8Array,
  entry: { mode: number; uid: number; gid: number; mtime: number },
  flags: ReadonlyMap<string, number>,
): void {
  const { fs, who } = process
  if (path.split('/').includes('..')) throw new Errno('EPERM')
  const parent = path.replace(/\/+$/, '').replace(/[^/]*$/, '')
  if (parent !== '') fs.mkdirs(parent, who)
  if (type === '5') {
    if (fs.find(path, who)?.type !== 'dir') fs.mkdirs(path.replace(/\/+$/, ''), who)
  } else if (type === '2') {
    if (fs.find(path, who, false)) fs.unlink(path, who)
    fs.symlink(link, path, who)
    return
  } else if (type === '1') {
    if (fs.find(path, who, false)) fs.unlink(path, who)
    fs.link(link, path, who)
    return
  } else fs.write(path, body, who)
  const at = fs.locate(path, who)
  if (at.mount.tree.root === at.node) return
  const node = fs.change(path, who)
  node.mode = entry.mode & (who.uid === 0 || flags.has('p') ? 0o7777 : 0o777)
  if (!flags.has('m')) node.mtime = entry.mtime
  if (who.uid === 0 && !flags.has('o')) {
    node.uid = entry.uid
    node.gid = entry.gid
  }
}
