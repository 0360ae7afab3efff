/** What lessons and labs may use in their text, bound to the page that shows them. */
import type { ComponentProps, ReactNode } from 'react'
import type { Locale } from '../../i18n/routing.ts'
import { Callout } from './callout.tsx'
import { ClusterFigure, Figure, NetworkFigure } from './figure.tsx'
import { FrameFigure } from './frame-figure.tsx'
import { LabLink } from './lab-link.tsx'
import { Quiz, type QuizProps } from './quiz.tsx'
import { Run } from './run.tsx'
import { Sequence } from './sequence.tsx'
import { Task } from './task.tsx'
import { Timeline } from './timeline.tsx'

export interface PageContext {
  locale: Locale
  /** '<module>/<lesson>' where answers are kept; null in a lab's text. */
  lesson: string | null
  /** Whether answers are kept: someone is here. */
  signedIn: boolean
  answers: Record<string, { choice: number; right: boolean }>
}

// biome-ignore-start lint/correctness/noComponentHookFactories: bound once a request, on the server, where nothing is kept between renders
export function mdxComponents(page: PageContext): Record<string, unknown> {
  return {
    Callout,
    Figure,
    ClusterFigure,
    NetworkFigure,
    FrameFigure,
    Timeline,
    Sequence,
    Run,
    Listing,
    Task,
    Compare,
    Side,
    LabLink: ({ slug }: { slug: string }) => <LabLink slug={slug} locale={page.locale} />,
    Quiz: (props: Omit<QuizProps, 'page'>) => <Quiz {...props} page={page} />,
    a: Anchor,
    table: ScrollingTable,
    th: ColumnHead,
  }
}
// biome-ignore-end lint/correctness/noComponentHookFactories: as above

function Listing({ title, children }: { title: string; children: ReactNode }) {
  return (
    <figure className="listing">
      <figcaption className="label">{title}</figcaption>
      {children}
    </figure>
  )
}

function Compare({ children }: { children: ReactNode }) {
  return <div className="compare">{children}</div>
}

function Side({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="compare-side">
      <p className="compare-title">{title}</p>
      {children}
    </section>
  )
}

function Anchor(props: ComponentProps<'a'>) {
  return props.href?.startsWith('http') ? <a rel="noreferrer" target="_blank" {...props} /> : <a {...props} />
}

/** Without words it heads nothing. */
function ColumnHead(props: ComponentProps<'th'>) {
  return props.children ? <th scope="col" {...props} /> : <td style={props.style} />
}

function ScrollingTable(props: ComponentProps<'table'>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls, and must scroll by keyboard too
    <div className="prose-table" tabIndex={0}>
      <table {...props} />
    </div>
  )
}
