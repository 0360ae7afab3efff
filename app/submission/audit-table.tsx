'use client'
import { useState } from 'react'
import { fill } from '../client/words.ts'
import type { AuditedRequest } from './audit.tsx'
import { momentHash } from './moment.ts'

interface Words {
  user: string
  verb: string
  resource: string
  all: string
  time: string
  object: string
  answer: string
  show: string
  shown: string
  caption: string
}

interface Props {
  requests: AuditedRequest[]
  locale: string
  /** Each request leads to its moment in the recordings. */
  replay: boolean
  words: Words
}

const filters = ['user', 'verb', 'resource'] as const
type Filter = (typeof filters)[number]

/** The audit log, narrowed by who, what and on which kind. */
export function AuditTable({ requests, locale, replay, words }: Props) {
  const [chosen, setChosen] = useState<Record<Filter, string>>({ user: '', verb: '', resource: '' })
  const shown = requests.filter((request) => filters.every((filter) => chosen[filter] === '' || request[filter] === chosen[filter]))
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
  return (
    <>
      <div className="audit-filters">
        {filters.map((filter) => (
          <label key={filter}>
            {words[filter]}
            <select className="field" value={chosen[filter]} onChange={(event) => setChosen({ ...chosen, [filter]: event.target.value })}>
              <option value="">{words.all}</option>
              {[...new Set(requests.map((request) => request[filter]))].sort().map((value) => (
                <option key={value}>{value}</option>
              ))}
            </select>
          </label>
        ))}
      </div>
      <p className="label" role="status">
        {fill(words.shown, { shown: shown.length, all: requests.length })}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long table scrolls, and must scroll by keyboard too */}
      <div className="table-scroll changes" tabIndex={0}>
        <table className="table">
          <caption className="sr-only">{words.caption}</caption>
          <thead>
            <tr>
              <th scope="col">{words.time}</th>
              <th scope="col">{words.user}</th>
              <th scope="col">{words.verb}</th>
              <th scope="col">{words.object}</th>
              <th scope="col">{words.answer}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((request, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a request has no other name, and the list is one of few
              <tr key={index}>
                <td className="whitespace-nowrap">
                  <Moment request={request} replay={replay} words={words} clock={clock} />
                </td>
                <td>
                  {request.user} {request.agent ? <span className="label">{request.agent}</span> : null}
                </td>
                <td>{request.verb}</td>
                <td>
                  {request.resource} {request.name ?? ''}
                  {request.namespace ? <span className="label"> {request.namespace}</span> : null}
                </td>
                <td data-refused={request.code >= 400 || undefined}>{request.code}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

function Moment({ request, replay, words, clock }: { request: AuditedRequest; replay: boolean; words: Words; clock: Intl.DateTimeFormat }) {
  // the server's time zone is not the reader's
  const time = (
    <time dateTime={new Date(request.time).toISOString()} suppressHydrationWarning>
      {clock.format(request.time)}
    </time>
  )
  if (!replay) return time
  const hash = momentHash(request.at)
  const again = () => {
    // nobody is told of a link to where the address is already
    if (location.hash === hash) dispatchEvent(new HashChangeEvent('hashchange'))
  }
  return (
    <a className="link" href={hash} title={words.show} onClick={again}>
      {time}
    </a>
  )
}
