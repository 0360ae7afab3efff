import type { Heading } from '../../../../../content/schema.ts'

export function TableOfContents({ headings, label }: { headings: Heading[]; label: string }) {
  if (headings.length === 0) return <div className="toc" />
  return (
    <nav className="toc" aria-label={label}>
      <p className="label">{label}</p>
      <ol>
        {headings.map((heading) => (
          <li key={heading.id} data-depth={heading.depth}>
            <a href={`#${heading.id}`}>{heading.text}</a>
          </li>
        ))}
      </ol>
    </nav>
  )
}
