/** Where to go after signing in: a path of this site, or its first page. Never another site. */
export function nextPath(asked: string | string[] | undefined, fallback: string): string {
  if (typeof asked !== 'string') return fallback
  const url = URL.parse(asked, 'http://site.invalid')
  return url?.origin === 'http://site.invalid' && asked.startsWith('/') ? url.pathname + url.search : fallback
}
