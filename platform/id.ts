import { createHash, randomBytes } from 'node:crypto'

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** A new identifier: 20 characters of a-z2-7 (100 random bits), a letter first; safe in file names, URLs and DNS labels. */
export function newId(): string {
  const bytes = randomBytes(20)
  let id = alphabet[bytes[0]! % 26]!
  for (const byte of bytes.subarray(1)) id += alphabet[byte % 32]
  return id
}

/** A new secret for a link or a ticket: 256 random bits, base64url. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What is stored of a secret: SHA-256, hexadecimal. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
