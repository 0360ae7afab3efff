import { sortedJson } from '../../../machinery/sorted-json.ts'
import { type HttpResponse, NetworkError } from '../../../network/network.ts'
import { dialError, GoHttpError, type GoRequest, goFetch, httpError } from '../../go/http.ts'
import { type Process, TimeoutFault } from '../../kernel/process.ts'
import { answer } from '../http.ts'
import { exchange } from './datagrams.ts'

/** ms a try may take. */
const patience = 5000

/** netexec's /dial: asks another server as often as wanted and answers with what came back and what went wrong. */
export async function dial(process: Process, { query }: GoRequest): Promise<HttpResponse> {
  const value = (name: string) => query.get(name) ?? ''
  const asked = value('request')
  const tries = value('tries') === '' ? 1 : Number(value('tries'))
  if (!Number.isInteger(tries)) {
    return httpError(`tries parameter is invalid. strconv.Atoi: parsing "${value('tries')}": invalid syntax`, 400)
  }
  if (asked === '') return httpError('request parameter not specified. <nil>', 400)
  const protocol = value('protocol').toLowerCase() || 'http'
  if (!['http', 'udp', 'sctp'].includes(protocol)) return httpError(`unsupported protocol. ${value('protocol')}`, 400)
  const port = Number(value('port'))
  const host = value('host').replace(/^\[|\]$/g, '')
  let ip: string
  try {
    ip = await process.until(() => process.machine.network.lookup(host))
  } catch (error) {
    if (process.ended || !(error instanceof NetworkError)) throw error
    return httpError(`host and/or port param are invalid. lookup ${host}: no such host`, 400)
  }
  const responses: string[] = []
  const errors: string[] = []
  let last = ''
  for (let index = 0; index < tries; index++) {
    last = ''
    try {
      last = protocol === 'http' ? await overHttp(process, ip, port, asked) : await overDatagrams(process, ip, port, asked, protocol)
      responses.push(last)
    } catch (error) {
      if (process.ended || !(error instanceof Error)) throw error
      errors.push(error.message)
    }
  }
  const output: Record<string, string[]> = {}
  if (last !== '') output['responses'] = responses
  if (errors.length > 0) output['errors'] = errors
  return answer(200, sortedJson(output))
}

async function overHttp(process: Process, ip: string, port: number, asked: string): Promise<string> {
  const response = await goFetch(process, `http://${ip}:${port}/${asked}`, { timeoutMs: patience })
  return new TextDecoder().decode(response.body)
}

async function overDatagrams(process: Process, ip: string, port: number, asked: string, protocol: string): Promise<string> {
  try {
    return await exchange(process, ip, port, asked, protocol === 'udp' ? 'UDP' : 'SCTP', patience)
  } catch (error) {
    if (process.ended) throw error
    const late = error instanceof TimeoutFault
    const why = late ? `read ${protocol} ${ip}:${port}: i/o timeout` : dialError(error, { host: ip, port }, protocol)
    throw new GoHttpError(`reading from ${protocol} connection failed. err:'${why}'`)
  }
}
