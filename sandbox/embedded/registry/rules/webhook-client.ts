import { type FieldError, invalid, type Path, required } from '../field.ts'
import { isDns1123Subdomain, isPortNumber } from '../names.ts'

/** Of a webhook's Service (k8s.io/apiserver/pkg/util/webhook). */
export function serviceErrors(
  { name, namespace, path: at, port }: { name: string; namespace: string; path?: string; port?: number },
  path: Path,
) {
  const errors: FieldError[] = []
  if (!name) errors.push(required(path.child('name')))
  if (!namespace) errors.push(required(path.child('namespace')))
  const problems = port === undefined ? [] : isPortNumber(port)
  if (problems.length > 0) errors.push(invalid(path.child('port'), port, `port is not valid: ${problems.join(', ')}`))
  if (at === undefined || at === '' || at === '/') return errors
  const where = path.child('path')
  if (at === '//') return [...errors, invalid(where, at, 'segment[0] may not be empty')]
  if (!at.startsWith('/')) errors.push(invalid(where, at, "must start with a '/'"))
  for (const [index, step] of at.slice(1).replace(/\/$/, '').split('/').entries()) {
    if (step === '') errors.push(invalid(where, at, `segment[${index}] may not be empty`))
    else for (const problem of isDns1123Subdomain(step)) errors.push(invalid(where, at, `segment[${index}]: ${problem}`))
  }
  return errors
}

const urlForm = '; desired format: https://host[/path]'

/** Of a webhook's URL. */
export function urlErrors(text: string, path: Path): FieldError[] {
  if (!URL.canParse(text))
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: invalid URI for request${urlForm}`)]
  const url = new URL(text)
  const errors: FieldError[] = []
  const scheme = url.protocol.slice(0, -1)
  if (scheme !== 'https') errors.push(invalid(path, scheme, `'https' is the only allowed URL scheme${urlForm}`))
  if (!url.host) errors.push(invalid(path, url.host, `host must be specified${urlForm}`))
  if (url.username) errors.push(invalid(path, url.username, 'user information is not permitted in the URL'))
  if (url.hash) errors.push(invalid(path, url.hash.slice(1), 'fragments are not permitted in the URL'))
  if (url.search) errors.push(invalid(path, url.search.slice(1), 'query parameters are not permitted in the URL'))
  return errors
}
