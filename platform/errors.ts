import type { Text } from './model.ts'

/** What can go wrong for a person: code -> HTTP status and the sentence they read unless a closer one is given. */
const kinds = {
  'signed-out': [401, 'Sign in to go on.', '请先登录。'],
  forbidden: [403, 'You are not allowed to do this.', '你没有权限执行此操作。'],
  'account-needed': [403, 'A guest cannot do this. Sign up for an account first.', '访客不能执行此操作，请先注册账号。'],
  'guests-refused': [
    403,
    'Guests are welcome only on the machine that runs Labernetes.',
    '只有在运行 Labernetes 的本机上才能以访客身份进入。',
  ],
  'not-found': [404, 'There is nothing here, or it is not yours.', '这里没有内容，或者它不属于你。'],
  'bad-request': [400, 'The request could not be understood.', '无法理解该请求。'],
  'not-ready': [409, 'The cluster is not ready yet.', '集群尚未就绪。'],
  over: [409, 'This attempt is over. Start the lab again.', '本次实验已结束，请重新开始。'],
  'handed-in': [409, 'This attempt was already handed in.', '本次实验已经提交。'],
  'no-extensions': [409, 'The time of this cluster cannot be extended again.', '该集群的时间不能再延长。'],
  'no-clock': [409, 'The clock of this cluster cannot be moved.', '该集群的时钟不能调整。'],
  'real-time': [409, 'This lab runs in real time: nothing is skipped in it.', '本实验按真实时间进行，不能快进。'],
  skipping: [409, 'Time is being skipped already.', '时间正在快进。'],
  'too-many-clusters': [429, 'You have too many clusters open. End one of them first.', '你打开的集群过多，请先结束其中一个。'],
  full: [503, 'All places for clusters are taken right now. Try again in a few minutes.', '目前集群名额已满，请过几分钟再试。'],
  'last-admin': [409, 'There must be an administrator: this is the last one.', '至少需要一名管理员：这是最后一名。'],
  'link-used': [
    410,
    'This link is no longer valid. The server prints a new one when it starts.',
    '该链接已失效。服务器启动时会打印新的链接。',
  ],
  'ticket-refused': [401, 'This ticket was used, or is too old.', '该凭证已被使用或已过期。'],
  stopping: [503, 'The server is stopping.', '服务器正在停止。'],
  fault: [500, 'Something went wrong on the server. It is in the log.', '服务器出现错误，已记录到日志。'],
} as const satisfies Record<string, readonly [number, string, string]>

export type ErrorCode = keyof typeof kinds

/** The one error the platform shows to people: a code for programs, an HTTP status, and a sentence in both languages. */
export class PlatformError extends Error {
  override readonly name = 'PlatformError'
  readonly code: ErrorCode
  /** HTTP status. */
  readonly status: number
  readonly sentence: Text

  constructor(code: ErrorCode, options: { sentence?: Text; cause?: unknown } = {}) {
    const [status, en, zh] = kinds[code]
    const sentence = options.sentence ?? { en, zh }
    super(sentence.en, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = status
    this.sentence = sentence
  }

  /** What an API answers with. */
  toJSON(): { error: { code: ErrorCode; sentence: Text } } {
    return { error: { code: this.code, sentence: this.sentence } }
  }
}

/**
 * Any thrown value as a PlatformError: itself, or a `fault` that keeps it as its cause. Goes by the name, not the class:
 * the site is bundled apart from the server and has a copy of the class of its own.
 */
export function asPlatformError(error: unknown): PlatformError {
  if (error instanceof Error && error.name === 'PlatformError') return error as PlatformError
  return new PlatformError('fault', { cause: error })
}
