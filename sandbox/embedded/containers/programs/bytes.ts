import { createHash } from 'node:crypto'
import type { Process, Run } from '../kernel/process.ts'
import { Errno } from '../vfs/errno.ts'
import { gunzipped, gzipped } from './compression.ts'
import { human } from './format.ts'
import { last, parseOptions } from './options.ts'
import { cantOpen, eachInput, Output, readBytes } from './text.ts'

/** Programs that show, count or copy bytes as they are. */
export const bytePrograms: Record<string, Run> = {
  sha256sum: checksum,
  sha1sum: checksum,
  sha512sum: checksum,
  md5sum: checksum,
  base64,
  hexdump,
  od,
  xxd: hexdump,
  gzip,
  gunzip: gzip,
  zcat: gzip,
  dd,
}

async function checksum(process: Process): Promise<number> {
  const algorithm = process.name.replace('sum', '')
  const check = process.args.includes('-c')
  let failed = 0
  const fine = await eachInput(
    process,
    process.args.filter((arg) => arg === '-' || !arg.startsWith('-')),
    async (open, path) => {
      const content = await readBytes(process, open)
      if (!check) return process.print(`${createHash(algorithm).update(content).digest('hex')}  ${path}\n`)
      for (const line of new TextDecoder().decode(content).split('\n')) {
        const match = /^([0-9a-f]+) [ *](.+)$/.exec(line)
        if (!match) continue
        const same =
          createHash(algorithm)
            .update(await process.readWhole(match[2] as string))
            .digest('hex') === match[1]
        if (!same) failed++
        await process.print(`${match[2]}: ${same ? 'OK' : 'FAILED'}\n`)
      }
    },
    cantOpen,
  )
  if (failed > 0) await process.complain(`${process.name}: WARNING: ${failed} of ${failed} computed checksums did NOT match\n`)
  return fine && failed === 0 ? 0 : 1
}

async function base64(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'diw:', { decode: 'd', 'wrap=': 'w' })
  let invalid = false
  const fine = await eachInput(
    process,
    options.operands,
    async (open) => {
      const content = await readBytes(process, open)
      if (options.flags.has('d')) {
        const text = Buffer.from(content).toString().replace(/\s/g, '')
        invalid = /[^A-Za-z0-9+/=]/.test(text)
        return process.print(Buffer.from(text, 'base64'))
      }
      const width = Number(last(options, 'w') ?? 76)
      const text = Buffer.from(content).toString('base64')
      await process.print(width === 0 ? text : (text.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).map((line) => `${line}\n`).join(''))
    },
    cantOpen,
  )
  if (invalid) return process.fail('truncated input')
  return fine ? 0 : 1
}

async function hexdump(process: Process): Promise<number> {
  const canonical = process.args.includes('-C') || process.name === 'xxd'
  let content: Uint8Array = new Uint8Array(0)
  await eachInput(
    process,
    process.args.filter((arg) => !arg.startsWith('-')),
    async (open) => {
      content = await readBytes(process, open)
    },
  )
  const out = new Output(process)
  for (let at = 0; at < content.length; at += 16) {
    const row = content.subarray(at, at + 16)
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0'))
    const text = [...row].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')
    if (canonical)
      await out.line(
        `${at.toString(16).padStart(8, '0')}  ${hex.slice(0, 8).join(' ').padEnd(23)}  ${hex.slice(8).join(' ').padEnd(23)}  |${text}|`,
      )
    else
      await out.line(
        `${at.toString(16).padStart(7, '0')} ${Array.from({ length: Math.ceil(row.length / 2) }, (_, index) => `${hex[2 * index + 1] ?? '00'}${hex[2 * index]}`).join(' ')}`,
      )
  }
  await out.line(content.length.toString(16).padStart(canonical ? 8 : 7, '0'))
  await out.flush()
  return 0
}

async function od(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'A:t:cxbN:vj:')
  let content: Uint8Array = new Uint8Array(0)
  await eachInput(process, options.operands, async (open) => {
    const limit = last(options, 'N')
    content = limit === undefined ? await readBytes(process, open) : await open.read(Number(limit), process)
  })
  const type = options.flags.has('c') ? 'c' : options.flags.has('x') ? 'x2' : (last(options, 't') ?? 'o2')
  const bare = last(options, 'A') === 'n'
  const names: Record<number, string> = { 0: '\\0', 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r' }
  const out = new Output(process)
  for (let at = 0; at < content.length; at += 16) {
    const row = content.subarray(at, at + 16)
    const size = type === 'c' || type.endsWith('1') ? 1 : type.endsWith('4') ? 4 : 2
    const cells: string[] = []
    for (let index = 0; index < row.length; index += size) {
      let value = 0
      for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + (row[index + byte] ?? 0)
      if (type === 'c')
        cells.push(
          (names[value] ?? (value >= 32 && value < 127 ? String.fromCharCode(value) : value.toString(8).padStart(3, '0'))).padStart(3),
        )
      else if (type.startsWith('x')) cells.push(value.toString(16).padStart(2 * size, '0'))
      else if (/^[du]/.test(type)) cells.push(String(value).padStart(size === 1 ? 3 : size === 2 ? 5 : 10))
      else cells.push(value.toString(8).padStart(size === 1 ? 3 : size === 2 ? 6 : 11, '0'))
    }
    await out.line(`${bare ? '' : at.toString(8).padStart(7, '0')} ${cells.join(' ')}`)
  }
  if (!bare) await out.line(content.length.toString(8).padStart(7, '0'))
  await out.flush()
  return 0
}

async function gzip(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'cdfkqtv123456789n')
  const expand = process.name !== 'gzip' || options.flags.has('d')
  const toStdout = options.flags.has('c') || process.name === 'zcat' || options.operands.length === 0
  try {
    if (options.operands.length === 0) {
      const stdin = process.files.get(0)
      const content = stdin ? await readBytes(process, stdin) : new Uint8Array(0)
      await process.print(await (expand ? gunzipped : gzipped)(process, content))
      return 0
    }
    for (const path of options.operands) {
      const content = await process.readWhole(path)
      const result = await (expand ? gunzipped : gzipped)(process, content)
      if (toStdout) await process.print(result)
      else {
        if (expand && !/\.t?gz$/.test(path)) return process.fail(`${path}: unknown suffix - ignored`)
        process.fs.write(expand ? path.replace(/\.gz$/, '').replace(/\.tgz$/, '.tar') : `${path}.gz`, result, process.who)
        if (!options.flags.has('k')) process.fs.unlink(path, process.who)
      }
    }
    return 0
  } catch (error) {
    if (error instanceof Errno) return process.fail(`${options.operands[0]}: ${error.message}`)
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) return process.fail('invalid magic')
    throw error
  }
}

async function dd(process: Process): Promise<number> {
  const values = new Map(process.args.map((arg): [string, string] => [arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)]))
  const size = (text: string | undefined, otherwise: number) => {
    const match = /^(\d+)([kKMGcwb]?)B?$/.exec(text ?? '')
    return match
      ? Number(match[1]) * ({ '': 1, c: 1, w: 2, b: 512, k: 1024, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[match[2] as string] as number)
      : otherwise
  }
  const block = size(values.get('bs'), 512)
  const limit = size(values.get('count'), Number.POSITIVE_INFINITY)
  const started = process.machine.now()
  // Its one buffer.
  process.allocate(block)
  try {
    const input = values.has('if') ? process.open(values.get('if') as string, 'read').retain() : process.files.get(0)
    const output = values.has('of') ? process.open(values.get('of') as string, 'write').retain() : process.files.get(1)
    if (!input || !output) return 1
    let blocks = 0
    let partial = 0
    let total = 0
    let failure: Errno | undefined
    for (let skip = size(values.get('skip'), 0) * block; skip > 0; ) {
      const chunk = await input.read(Math.min(skip, 65536), process)
      if (chunk.length === 0) break
      skip -= chunk.length
    }
    while (blocks + partial < limit && !failure) {
      let got = 0
      while (got < block) {
        const chunk = await input.read(Math.min(block - got, 65536), process)
        if (chunk.length === 0) break
        try {
          await output.write(chunk, process)
          if (values.get('of')?.startsWith('/dev/shm/')) process.allocate(0)
        } catch (error) {
          if (!(error instanceof Errno)) throw error
          failure = error
          break
        }
        got += chunk.length
        const wait = process.spend(chunk.length * 2)
        if (wait) await wait
        if (process.machine.overLimit()) process.allocate(1)
        if (input.kind !== 'file' && input.kind !== 'device') break
      }
      total += got
      if (got === block) blocks++
      else {
        if (got > 0) partial++
        break
      }
    }
    const seconds = Math.max(0.000001, (process.machine.now() - started) / 1000)
    if (failure) await process.complain(`dd: error writing '${values.get('of') ?? 'standard output'}': ${failure.message}\n`)
    if (values.get('status') !== 'none')
      await process.complain(
        `${blocks}+${partial} records in\n${blocks}+${partial} records out\n${values.get('status') === 'noxfer' ? '' : `${total} bytes (${human(total)}B) copied, ${seconds.toFixed(6)} seconds, ${human(Math.floor(total / seconds))}B/s\n`}`,
      )
    if (values.has('if')) input.release()
    if (values.has('of')) output.release()
    return failure ? 1 : 0
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    return process.fail(`can't open '${values.get('if') ?? values.get('of')}': ${error.message}`)
  }
}
