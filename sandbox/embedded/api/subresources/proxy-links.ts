/** A page that came through the API server: where its links begin, and whose page it is. */
export interface ProxyWay {
  /** /api/v1/namespaces/x/pods/y/proxy */
  prefix: string
  /** The host and port that was asked. */
  target: string
  /** The host by which the client knows the API server. */
  host: string
}

/** Attributes that hold URLs, by element (HTML 4, as apimachinery's proxy transport lists them). */
const attributes: Record<string, readonly string[]> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
}

/** Absolute links of an HTML page, made to lead through the proxy again. */
export function rewriteLinks(page: Uint8Array, way: ProxyWay): Uint8Array {
  const text = new TextDecoder().decode(page)
  const rewritten = text.replace(/<([a-z][a-z\d]*)(\s[^<>]*)>/gi, (tag, name: string, rest: string) => {
    const urls = attributes[name.toLowerCase()]
    if (!urls) return tag
    const changed = rest.replace(
      /([a-z-]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/gi,
      (attribute, key: string, equals: string, value: string) => {
        if (!urls.includes(key.toLowerCase())) return attribute
        const bare = /^["']/.test(value) ? value.slice(1, -1) : value
        return `${key}${equals}"${throughProxy(bare, way)}"`
      },
    )
    return `<${name}${changed}>`
  })
  return new TextEncoder().encode(rewritten)
}

/** One URL: relative ones and those of other hosts stay as they are. */
export function throughProxy(url: string, { prefix, target, host }: ProxyWay): string {
  const [, scheme, authority, path = ''] = /^(?:([a-z][a-z\d+.-]*:)?\/\/([^/?#]*))?(.*)$/is.exec(url) ?? []
  if (!path.startsWith('/') || (scheme === undefined && /^[a-z][a-z\d+.-]*:/i.test(url))) return url
  if (authority !== undefined && authority !== target && authority !== host) return url
  return path.startsWith(prefix) ? path : prefix + path
}
