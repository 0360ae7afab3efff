/** The terminal's wire protocol, version 1, as the browser sees it. Text frames are JSON; binary frames are output. */

export type FromClient =
  | { type: 'open'; ticket: string; cols: number; rows: number; language: 'en' | 'zh' }
  | { type: 'input'; data: string }
  | { type: 'resize'; cols: number; rows: number }
  /** Output up to this sequence number has been drawn. */
  | { type: 'ack'; seq: number }

export type FromServer =
  | { type: 'ready'; terminal: string; writer: boolean; seq: number }
  /** Reset and resize: the next binary frame is the whole screen with its scrollback, as it was at `seq`. */
  | { type: 'screen'; seq: number; cols: number; rows: number }
  | { type: 'exit'; code: number }
  | { type: 'error'; message: string }
  | { type: 'writer'; writer: boolean }

/** Splits a binary frame: 8 bytes big-endian, the bytes of output before this frame, then the output. */
export function readFrame(frame: ArrayBuffer): { seq: number; bytes: Uint8Array } {
  return { seq: Number(new DataView(frame).getBigUint64(0)), bytes: new Uint8Array(frame, 8) }
}
