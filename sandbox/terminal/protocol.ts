/**
 * The wire protocol of a terminal, version 1: one WebSocket a terminal. Text frames are the JSON messages below; binary
 * frames from the server are output: an 8-byte big-endian sequence number (bytes of output before this frame, since the
 * terminal began) and then the bytes. app/terminal/protocol.ts is the browser's side of it.
 */
import type { Language } from '../text.ts'

export type ClientMessage =
  /** The first message. `ticket` is single-use and names person and terminal; `language` is the one to be told things in. */
  | { type: 'open'; ticket: string; cols: number; rows: number; language: Language }
  | { type: 'input'; data: string }
  | { type: 'resize'; cols: number; rows: number }
  /** All output before `seq` is on the screen. */
  | { type: 'ack'; seq: number }

export type ServerMessage =
  | { type: 'ready'; terminal: string; writer: boolean; seq: number }
  /** Reset and resize: the output frame that follows is the whole screen with its scrollback, as it was at `seq`. */
  | { type: 'screen'; seq: number; cols: number; rows: number }
  | { type: 'exit'; code: number }
  | { type: 'error'; message: string }
  | { type: 'writer'; writer: boolean }

/**
 * Bytes of output a viewer may have unacknowledged. Above it the writer's
 * terminal is paused, another viewer is resent the screen later.
 */
export const window = 256 * 1024

/** Reads a client's text frame. Throws a sentence when it is not one of the messages. */
export function parseClientMessage(text: string): ClientMessage {
  const message: unknown = parseJson(text)
  if (typeof message !== 'object' || message === null) throw new Error('A message is a JSON object')
  const { type, ticket, cols, rows, language, data, seq } = message as Record<string, unknown>
  if (type === 'input' && typeof data === 'string') return { type, data }
  if (type === 'ack' && typeof seq === 'number') return { type, seq }
  if (type === 'resize' && isSize(cols) && isSize(rows)) return { type, cols, rows }
  if (type === 'open' && typeof ticket === 'string' && isSize(cols) && isSize(rows))
    return { type, ticket, cols, rows, language: language === 'zh' ? 'zh' : 'en' }
  throw new Error(`Not a message of this protocol: ${String(type)}`)
}

export function outputFrame(seq: number, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(8 + bytes.length)
  new DataView(frame.buffer).setBigUint64(0, BigInt(seq))
  frame.set(bytes, 8)
  return frame
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('A message is a JSON object')
  }
}

function isSize(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 2 && (value as number) <= 1000
}
