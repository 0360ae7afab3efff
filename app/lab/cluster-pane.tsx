'use client'
import { useState } from 'react'
import type { ClusterView, PodView } from '../../platform/model.ts'
import { fill } from '../client/words.ts'
import { ClusterDrawing } from '../ui/drawing/cluster-drawing.tsx'
import type { ClusterWords } from './words.ts'

/** The learner's cluster, drawn as it is now, or told as a list. */
export function ClusterPane({ view, words }: { view: ClusterView | null; words: ClusterWords }) {
  const [picked, setPicked] = useState<string | null>(null)
  const [list, setList] = useState(false)
  const [system, setSystem] = useState(false)
  if (!view) return <p className="pane-empty">{words.none}</p>
  const shown = system ? view : withoutSystem(view)
  const pod = shown.pods.find((each) => each.uid === picked)
  return (
    <div className="cluster">
      <div className="cluster-tools">
        <button type="button" className="bench-tool" aria-pressed={list} onClick={() => setList(!list)}>
          {list ? words.asDrawing : words.asList}
        </button>
        <button type="button" className="bench-tool" aria-pressed={system} onClick={() => setSystem(!system)}>
          {system ? words.hideSystem : words.showSystem}
        </button>
      </div>
      {list ? (
        <ClusterList view={shown} words={words} />
      ) : (
        <ClusterDrawing
          cluster={shown}
          label={words.label}
          words={words}
          onPick={(each) => setPicked(each?.uid ?? null)}
          sentence={(each) => sayPod(each, words)}
        />
      )}
      {list ? null : <p className="cluster-detail">{pod ? <PodDetail pod={pod} words={words} /> : words.pick}</p>}
    </div>
  )
}

function PodDetail({ pod, words }: { pod: PodView; words: ClusterWords }) {
  return (
    <>
      <strong>{pod.name}</strong> {sayPod(pod, words).slice(pod.name.length + 2)}
      {pod.containers.map((container) => (
        <span key={container.name} className="cluster-container">
          <code>{container.name}</code> {container.reason ?? container.state}
          {container.restarts > 0 ? ` · ${fill(words.restarts, { count: container.restarts })}` : ''}
        </span>
      ))}
    </>
  )
}

function ClusterList({ view, words }: { view: ClusterView; words: ClusterWords }) {
  return (
    <div className="cluster-list">
      <h2>{words.nodes}</h2>
      <ul>
        {view.nodes.map((node) => (
          <li key={node.name}>
            {node.name}: {node.ready ? 'Ready' : words.notReady}
            {node.unschedulable ? `, ${words.cordoned}` : ''}
          </li>
        ))}
      </ul>
      <h2>{words.pods}</h2>
      <ul>
        {view.pods.map((pod) => (
          <li key={pod.uid}>{sayPod(pod, words)}</li>
        ))}
      </ul>
      <h2>{words.services}</h2>
      <ul>
        {view.services.map((service) => (
          <li key={service.uid}>
            {service.name}:{' '}
            {service.endpoints.length === 0
              ? words.noEndpoints
              : service.endpoints.map((each) => `${each.pod ?? each.ip} (${each.ready ? words.ready : words.unready})`).join(', ')}
          </li>
        ))}
      </ul>
    </div>
  )
}

function sayPod(pod: PodView, words: ClusterWords): string {
  return [
    `${pod.name}: ${pod.status}`,
    pod.ready ? words.ready : words.unready,
    pod.node ? fill(words.on, { node: pod.node }) : words.nowhere,
    pod.restarts > 0 ? fill(words.restarts, { count: pod.restarts }) : '',
    pod.ip ?? '',
  ]
    .filter(Boolean)
    .join(', ')
}

/** What runs the cluster itself is not what a learner looks for. */
function withoutSystem(view: ClusterView): ClusterView {
  const own = (each: { namespace: string; name: string }) =>
    !each.namespace.startsWith('kube-') && !(each.namespace === 'default' && each.name === 'kubernetes')
  return { ...view, pods: view.pods.filter(own), services: view.services.filter(own) }
}
