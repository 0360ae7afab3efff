export interface TarEntry {
  /** Without a leading slash. */
  path: string
  content: string
  /** 0o644 unless given. */
  mode?: number
}

const block = 512

/** A tar archive (POSIX ustar, owner root) of small files, as `docker cp - CONTAINER:/` reads it. Throws for a path over 100 bytes. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const parts: Buffer[] = []
  for (const { path, content, mode = 0o644 } of entries) {
    const body = Buffer.from(content)
    parts.push(header(path, body.length, mode), body, Buffer.alloc((block - (body.length % block)) % block))
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * block)])
}

function header(path: string, size: number, mode: number): Buffer {
  if (Buffer.byteLength(path) > 100) throw new Error(`Too long for a tar header: ${path}`)
  const bytes = Buffer.alloc(block)
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`
  bytes.write(path, 0)
  bytes.write(octal(mode, 8), 100)
  bytes.write(octal(0, 8), 108)
  bytes.write(octal(0, 8), 116)
  bytes.write(octal(size, 12), 124)
  bytes.write(octal(Math.floor(Date.now() / 1000), 12), 136)
  bytes.write('        ', 148)
  bytes.write('0', 156)
  bytes.write('ustar\x0000', 257)
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return bytes
}
