import type { WebSocket } from 'ws'
import { type Language, textOf } from '../text.ts'
import { type ClientMessage, outputFrame, parseClientMessage, type ServerMessage } from './protocol.ts'
import type { Seat, TerminalSession } from './session.ts'

type OpenMessage = Extract<ClientMessage, { type: 'open' }>

const openWithinMs = 10_000
const pingEveryMs = 25_000

/**
 * Serves one terminal WebSocket. `redeem` turns the ticket of the first message into a session, or rejects with a sentence
 * for the person; everything before that is refused.
 */
export function serveTerminal(
  socket: WebSocket,
  redeem: (ticket: string, language: Language) => Promise<{ session: TerminalSession; write: boolean }>,
): void {
  let seat: Seat | null = null
  let opening = false
  const send = (message: ServerMessage) => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
  }
  const refuse = (message: string) => {
    send({ type: 'error', message })
    socket.close(1008)
  }
  const patience = setTimeout(() => refuse('No ticket was shown'), openWithinMs)
  let alive = true
  const heartbeat = setInterval(() => {
    if (!alive) return socket.terminate()
    alive = false
    socket.ping()
  }, pingEveryMs)
  socket.on('pong', () => {
    alive = true
  })
  socket.on('close', () => {
    clearTimeout(patience)
    clearInterval(heartbeat)
    seat?.[Symbol.dispose]()
    seat = null
  })
  socket.on('error', () => socket.terminate())
  socket.on('message', (data, isBinary) => {
    try {
      const message = parseClientMessage(isBinary ? '' : String(data))
      if (message.type !== 'open') {
        if (!seat) throw new Error('The terminal is not open')
        if (message.type === 'input') seat.input(message.data)
        else if (message.type === 'resize') seat.resize(message.cols, message.rows)
        else seat.ack(message.seq)
        return
      }
      if (opening) throw new Error('The terminal is open already')
      opening = true
      clearTimeout(patience)
      const { ticket, language } = message
      redeem(ticket, language).then(
        ({ session, write }) => {
          if (socket.readyState === socket.OPEN) seat = seatAt(session, write, message)
        },
        (error: unknown) => refuse(textOf(error)[language]),
      )
    } catch (error) {
      refuse((error as Error).message)
    }
  })

  function seatAt(session: TerminalSession, write: boolean, { cols, rows, language }: OpenMessage): Seat {
    const bytes = (seq: number, output: Uint8Array) => {
      if (socket.readyState === socket.OPEN) socket.send(outputFrame(seq, output))
    }
    const seated = session.attach({
      wantsToWrite: write,
      language,
      screen: (screen) => {
        send({ type: 'ready', terminal: session.id, writer: write, seq: screen.seq })
        send({ type: 'screen', seq: screen.seq, cols: screen.cols, rows: screen.rows })
        bytes(screen.seq, screen.bytes)
      },
      output: bytes,
      exit: (code) => send({ type: 'exit', code }),
      writer: (writer) => send({ type: 'writer', writer }),
    })
    seated.resize(cols, rows)
    return seated
  }
}
