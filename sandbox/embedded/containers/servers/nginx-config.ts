import { remembering } from '../../machinery/remembering.ts'

/** One directive of an nginx configuration. */
export interface Directive {
  name: string
  args: string[]
  block?: Directive[]
  file: string
  line: number
}

/** A mistake in the configuration; the message is nginx' own, without "nginx: ". */
export class ConfigFault extends Error {}

const contexts: Record<string, string> = {
  events: 'main',
  http: 'main',
  stream: 'main',
  user: 'main',
  worker_processes: 'main',
  pid: 'main',
  daemon: 'main',
  worker_rlimit_nofile: 'main',
  load_module: 'main',
  env: 'main',
  server: 'http upstream',
  upstream: 'http',
  location: 'server location',
  listen: 'server',
  server_name: 'server',
  types: 'http server location',
  map: 'http',
  geo: 'http',
  log_format: 'http',
  limit_req_zone: 'http',
  worker_connections: 'events',
  multi_accept: 'events',
  use: 'events',
  root: 'http server location if',
  index: 'http server location',
  alias: 'location',
  return: 'server location if',
  proxy_pass: 'location if',
  error_page: 'http server location',
  stub_status: 'server location',
  rewrite: 'server location if',
  try_files: 'server location',
  deny: 'http server location',
  allow: 'http server location',
  internal: 'location',
  if: 'server location',
  set: 'server location if',
  autoindex: 'http server location',
  add_header: 'http server location if',
  default_type: 'http server location',
  server_tokens: 'http server location',
  access_log: 'http server location if',
  error_log: 'main http server location',
  keepalive: 'upstream',
  least_conn: 'upstream',
  ip_hash: 'upstream',
}
const anywhere =
  /^(?:include|sendfile|tcp_nopush|tcp_nodelay|gzip\w*|keepalive_\w+|client_\w+|proxy_\w+|send_timeout|charset|etag|expires|resolver\w*|ssl_\w+|limit_\w+|auth_\w+|real_ip_\w+|set_real_ip_from|large_client_header_buffers|reset_timedout_connection|log_not_found|absolute_redirect|port_in_redirect|satisfy|sub_filter\w*|open_file_cache\w*|fastcgi_\w+|types_hash_\w+|server_names_hash_\w+|variables_hash_\w+|http2|underscores_in_headers|ignore_invalid_headers|merge_slashes|msie_padding|output_buffers|chunked_transfer_encoding|directio|aio|max_ranges|recursive_error_pages|uwsgi_\w+|health_check|status_zone|mirror\w*|break|echo)$/

/** Reads a configuration with its includes. Throws ConfigFault with nginx' text. */
export function readConfig(path: string, read: (path: string) => string, glob: (pattern: string) => string[]): Directive[] {
  return parse(path, 'main', read, glob)
}

function parse(path: string, context: string, read: (path: string) => string, glob: (pattern: string) => string[]): Directive[] {
  const tokens = tokensOf(read(path))
  let at = 0
  const block = (where: string, nested: boolean): Directive[] => {
    const out: Directive[] = []
    let words: string[] = []
    let line = 1
    for (;;) {
      const token = tokens[at++]
      if (!token) {
        if (words.length > 0)
          throw new ConfigFault(`[emerg] 1#1: unexpected end of file, expecting ";" or "}" in ${path}:${tokens.at(-1)?.line ?? 1}`)
        if (nested) throw new ConfigFault(`[emerg] 1#1: unexpected end of file, expecting "}" in ${path}:${tokens.at(-1)?.line ?? 1}`)
        return out
      }
      if (!token.quoted && token.text === '}') {
        if (words.length > 0 || !nested) throw new ConfigFault(`[emerg] 1#1: unexpected "}" in ${path}:${token.line}`)
        return out
      }
      if (token.quoted || (token.text !== ';' && token.text !== '{')) {
        if (words.length === 0) line = token.line
        words.push(token.text)
        continue
      }
      const [name, ...args] = words
      words = []
      if (name === undefined) throw new ConfigFault(`[emerg] 1#1: unexpected "${token.text}" in ${path}:${token.line}`)
      const allowed = contexts[name]
      const free = where === 'types' || where === 'map' || where === 'geo' || where === 'stream'
      if (!free && allowed === undefined && !anywhere.test(name))
        throw new ConfigFault(`[emerg] 1#1: unknown directive "${name}" in ${path}:${line}`)
      if (!free && allowed !== undefined && !allowed.split(' ').includes(where))
        throw new ConfigFault(`[emerg] 1#1: "${name}" directive is not allowed here in ${path}:${line}`)
      const blockDirective =
        /^(?:events|http|stream|upstream|location|types|map|geo|if)$/.test(name) || (name === 'server' && where === 'http')
      if (!free && blockDirective && token.text === ';')
        throw new ConfigFault(`[emerg] 1#1: directive "${name}" has no opening "{" in ${path}:${line}`)
      if (!free && !blockDirective && token.text === '{')
        throw new ConfigFault(`[emerg] 1#1: directive "${name}" is not terminated by ";" in ${path}:${line}`)
      if (
        !free &&
        args.length === 0 &&
        /^(?:listen|root|index|return|proxy_pass|server_name|location|include|alias|worker_connections|worker_processes|error_page)$/.test(
          name,
        )
      )
        throw new ConfigFault(`[emerg] 1#1: invalid number of arguments in "${name}" directive in ${path}:${line}`)
      if (name === 'include') {
        const pattern = (args[0] as string).startsWith('/') ? (args[0] as string) : `${path.slice(0, path.lastIndexOf('/'))}/${args[0]}`
        for (const file of /[*?[]/.test(pattern) ? glob(pattern) : [pattern]) {
          try {
            out.push(...parse(file, where, read, glob))
          } catch (error) {
            if (error instanceof ConfigFault) throw error
            throw new ConfigFault(`[emerg] 1#1: open() "${file}" failed (2: No such file or directory) in ${path}:${line}`)
          }
        }
        continue
      }
      out.push({
        name,
        args,
        file: path,
        line,
        ...(token.text === '{' ? { block: block(name === 'server' && where === 'stream' ? 'stream' : name, true) } : {}),
      })
    }
  }
  return block(context, false)
}

interface Token {
  text: string
  line: number
  quoted: boolean
}

/** Of the texts that were read lately: most servers begin with what their image has. */
const tokensOf = remembering(tokenize, { most: 16, longest: 16_384 })

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = []
  let line = 1
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string
    if (char === '\n') line++
    if (/\s/.test(char)) continue
    if (char === '#') {
      while (at + 1 < text.length && text[at + 1] !== '\n') at++
      continue
    }
    if (char === ';' || char === '{' || char === '}') {
      tokens.push({ text: char, line, quoted: false })
      continue
    }
    let word = ''
    const start = line
    if (char === '"' || char === "'") {
      for (at++; at < text.length && text[at] !== char; at++) {
        if (text[at] === '\\' && /["'\\]/.test(text[at + 1] ?? '')) at++
        if (text[at] === '\n') line++
        word += text[at]
      }
      tokens.push({ text: word, line: start, quoted: true })
      continue
    }
    for (; at < text.length && !/[\s;]/.test(text[at] as string); at++) {
      if (text[at] === '{' && text[at - 1] !== '$') break
      if (text[at] === '}' && !word.includes('{')) break
      word += text[at]
    }
    at--
    tokens.push({ text: word, line: start, quoted: false })
  }
  return tokens
}
