'use client'
import { useRouter } from 'next/navigation'
import { type CSSProperties, type ReactNode, useCallback, useState } from 'react'
import type { Text } from '../../platform/model.ts'
import type { AttemptView } from '../../platform/services.ts'
import { call } from '../client/call.ts'
import { useAttempt } from '../client/use-attempt.ts'
import { fill } from '../client/words.ts'
import { Terminals } from '../terminal/terminals.tsx'
import type { TerminalWords } from '../terminal/words.ts'
import { ClusterClock } from './cluster-clock.tsx'
import { ClusterPane } from './cluster-pane.tsx'
import { Confirm } from './confirm.tsx'
import { stateWord } from './criteria.tsx'
import { LeaseLine, LeaseWait } from './lease-line.tsx'
import { Splitter } from './splitter.tsx'
import { TaskContext, type TaskInText } from './task-context.ts'
import { type ShownTask, TasksPanel } from './tasks-panel.tsx'
import { TrialBanner, Trials } from './trials.tsx'
import { useFirstTerminal } from './use-first-terminal.ts'
import { useSizes } from './use-sizes.ts'
import type { ClockWords, ClusterWords, LabWords, LeaseWords } from './words.ts'

interface Props {
  locale: string
  attempt: AttemptView
  title: string
  tasks: ShownTask[]
  maxPoints: number
  submissionHref: string
  /** What the lab tries, and the engines that can copy a cluster to try it on. */
  trials: Text[]
  copying: string[]
  words: { lab: LabWords; lease: LeaseWords; clock: ClockWords; terminal: TerminalWords; cluster: ClusterWords }
  /** The lab's text. */
  children: ReactNode
}

const panes = ['text', 'terminal', 'tasks', 'cluster'] as const
type Pane = (typeof panes)[number]

/** A lab at work: text, terminals, tasks and the cluster, side by side where there is room, one at a time where there is not. */
export function Workspace({ locale, attempt, title, tasks, maxPoints, submissionHref, trials, copying, words, children }: Props) {
  const router = useRouter()
  const live = useAttempt(attempt.id, { lease: attempt.lease, verdict: attempt.verdict, terminals: attempt.terminals })
  const [pane, setPane] = useState<Pane>('text')
  const [sizes, setSize] = useSizes('workspace', { text: 30, tasks: 27, cluster: 44 })
  const [fault, setFault] = useState('')
  const [busy, setBusy] = useState('')
  const { lab } = words
  const { verdict, lease } = live
  const ready = lease?.state === 'ready'
  const over = lease?.state === 'ended'

  const act = async (name: string, what: () => Promise<unknown>) => {
    setFault('')
    setBusy(name)
    await what().catch((error: Error) => setFault(error.message))
    setBusy('')
  }
  const path = `/api/attempts/${attempt.id}`
  const handIn = () =>
    act('hand-in', async () => {
      const { submission } = await call<{ submission: string }>('POST', `${path}/hand-in`)
      router.push(`${submissionHref}/${submission}`)
    })
  const end = () =>
    act('end', async () => {
      await call('DELETE', path)
      router.refresh()
    })
  const hint = (task: string) =>
    act('hint', async () => {
      await call('POST', `${path}/hints`, { task })
      router.refresh()
    })
  const tryNow = () => act('try', () => call('POST', `${path}/trials`))
  useFirstTerminal(attempt.id, ready, live.terminals.length, setFault)

  const inText = useCallback(
    (id: string): TaskInText | null => {
      const task = tasks.find((each) => each.id === id)
      if (!task) return null
      const found = verdict?.tasks.find((each) => each.id === id)
      const show = () => {
        setPane('tasks')
        document.getElementById(`task-${id}`)?.scrollIntoView({ block: 'start', behavior: 'smooth' })
      }
      return { title: task.title, verdict: found, state: found ? stateWord(found.state, lab) : lab.notLooked, show }
    },
    [tasks, verdict, lab],
  )

  const passed = verdict?.tasks.filter((task) => task.state === 'pass').length ?? 0
  const style = {
    '--text': `${sizes.text}fr`,
    '--tasks': `${sizes.tasks}fr`,
    '--middle': `${100 - sizes.text - sizes.tasks}fr`,
    '--cluster': `${sizes.cluster}%`,
  }
  return (
    <main id="main" className="workspace" data-pane={pane} style={style as CSSProperties}>
      <div className="workspace-bar">
        <h1 className="workspace-title">{title}</h1>
        <p className="workspace-points">
          {fill(lab.standing, { points: verdict?.points ?? 0, max: maxPoints })}
          {live.live ? null : <span className="label"> {lab.offline}</span>}
        </p>
        <LeaseLine lease={lease} words={words.lease} onExtend={() => act('extend', () => call('POST', `${path}/extend`))} />
        <ClusterClock attempt={attempt.id} time={live.time} words={words.clock} locale={locale} onFault={setFault} />
        <Confirm
          title={lab.resetTitle}
          text={<p>{lab.resetText}</p>}
          yes={lab.reset}
          no={lab.cancel}
          onYes={() => act('reset', () => call('POST', `${path}/reset`))}
        >
          <button type="button" className="bench-tool" disabled={over || busy !== ''}>
            {lab.reset}
          </button>
        </Confirm>
        <Confirm title={lab.endTitle} text={<p>{lab.endText}</p>} yes={lab.end} no={lab.cancel} onYes={end}>
          <button type="button" className="bench-tool" disabled={busy !== ''}>
            {lab.end}
          </button>
        </Confirm>
        <Confirm
          title={lab.handInTitle}
          text={
            <>
              <p>{fill(lab.handInStanding, { passed, tasks: tasks.length, points: verdict?.points ?? 0, max: maxPoints })}</p>
              <p>{lab.handInText}</p>
            </>
          }
          yes={lab.handIn}
          no={lab.cancel}
          onYes={handIn}
        >
          <button type="button" className="button button-primary button-small" disabled={!ready || busy !== ''}>
            {busy === 'hand-in' ? lab.handingIn : lab.handIn}
          </button>
        </Confirm>
      </div>
      {fault ? (
        <p role="alert" className="terminals-fault workspace-fault">
          {fault}
        </p>
      ) : null}
      <TrialBanner locale={locale} trial={live.trial} words={lab} />
      <fieldset className="workspace-tabs" aria-label={lab.panes}>
        {panes.map((each) => (
          <button key={each} type="button" aria-pressed={each === pane} data-tab={each} onClick={() => setPane(each)}>
            {lab[`pane-${each}`]}
            {each === 'tasks' ? <span className="label"> {`${passed}/${tasks.length}`}</span> : null}
          </button>
        ))}
      </fieldset>
      <div className="workspace-floor">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a pane that scrolls must scroll by keyboard too */}
        <section className="pane pane-text" aria-label={lab['pane-text']} tabIndex={0}>
          <TaskContext value={inText}>{children}</TaskContext>
        </section>
        <Splitter
          label={lab.splitText}
          between="columns"
          value={sizes.text}
          min={18}
          max={50}
          onChange={(value) => setSize('text', value)}
        />
        <div className="pane-middle">
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a pane that scrolls must scroll by keyboard too */}
          <section className="pane pane-cluster" aria-label={lab['pane-cluster']} tabIndex={0}>
            <ClusterPane view={live.cluster} words={words.cluster} />
          </section>
          <Splitter
            label={lab.splitCluster}
            between="rows"
            value={sizes.cluster}
            min={10}
            max={75}
            onChange={(value) => setSize('cluster', value)}
          />
          <section className="pane pane-terminal" aria-label={lab['pane-terminal']}>
            {ready ? (
              <Terminals attempt={attempt.id} terminals={live.terminals} nodes={lease.nodes} words={words.terminal} />
            ) : (
              <>
                <LeaseWait lease={lease} words={words.lease} locale={locale} />
                {over ? (
                  <p className="pane-empty">
                    <button type="button" className="button" onClick={() => router.refresh()}>
                      {lab.toDoor}
                    </button>
                  </p>
                ) : null}
              </>
            )}
          </section>
        </div>
        <Splitter
          label={lab.splitTasks}
          between="columns"
          value={sizes.tasks}
          from="end"
          min={18}
          max={45}
          onChange={(value) => setSize('tasks', value)}
        />
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a pane that scrolls must scroll by keyboard too */}
        <section className="pane pane-tasks" aria-label={lab['pane-tasks']} tabIndex={0}>
          <h2>{lab['pane-tasks']}</h2>
          <TasksPanel locale={locale} tasks={tasks} verdict={verdict} words={lab} onHint={hint} />
          {ready && trials.length > 0 ? (
            <Trials
              locale={locale}
              trials={trials}
              onCopy={copying.includes(lease.engine)}
              words={lab}
              busy={busy === 'try' || live.trial !== null}
              onTry={tryNow}
            />
          ) : null}
        </section>
      </div>
    </main>
  )
}
