import type { WebSocket } from 'ws'
import type { CommandListener, CommandStatus, CommandStreams } from './remote-command.ts'

/** Protocols of remote commands, the preferred first: v5 can close stdin, those without a version tell failures in words only. */
export const commandProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

/** Exec and attach over one WebSocket: each message is a channel's number and its data. */
export class WebSocketCommand implements CommandStreams {
  private readonly socket: WebSocket
  private readonly base64: boolean
  private readonly json: boolean

  /** @param first the channel that a sign of life is sent on */
  constructor(socket: WebSocket, first: 'stdout' | 'stderr' | 'error') {
    this.socket = socket
    this.base64 = socket.protocol.includes('base64')
    this.json = socket.protocol.startsWith('v')
    this.send(channels[first], new Uint8Array())
  }

  write(stream: 'stdout' | 'stderr', data: Uint8Array): void {
    this.send(channels[stream], data)
  }

  finish(status: CommandStatus): void {
    if (this.json) this.send(channels.error, Buffer.from(JSON.stringify(status)))
    else if (status.status === 'Failure') this.send(channels.error, Buffer.from(status.message ?? ''))
    this.socket.close(1000)
  }

  listen(listener: CommandListener): void {
    this.socket.on('message', (message: Buffer) => {
      const [channel, data] = this.base64
        ? [(message[0] ?? 0) - 0x30, Buffer.from(message.subarray(1).toString(), 'base64')]
        : [message[0], message.subarray(1)]
      if (channel === channels.stdin && data.length > 0) listener.stdin(data)
      else if (channel === channels.close && data[0] === channels.stdin) listener.closeStdin()
      else if (channel === channels.resize && data.length > 0) {
        const { Width, Height } = JSON.parse(data.toString()) as { Width: number; Height: number }
        listener.resize(Width, Height)
      }
    })
    this.socket.on('close', () => listener.close())
  }

  private send(channel: number, data: Uint8Array): void {
    if (this.socket.readyState !== this.socket.OPEN) return
    if (this.base64) this.socket.send(`${channel}${Buffer.from(data).toString('base64')}`)
    else this.socket.send(Buffer.concat([Uint8Array.of(channel), data]))
  }
}
