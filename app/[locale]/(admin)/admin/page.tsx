import type { Metadata } from 'next'
import { getFormatter, getTranslations, setRequestLocale } from 'next-intl/server'
import type { Text } from '../../../../platform/model.ts'
import { services } from '../../../../platform/services.ts'
import { localised } from '../../../i18n/routing.ts'
import { spoken } from '../../../i18n/spoken.ts'
import { requireRole } from '../../../session.ts'
import { RoleSelect } from './role-select.tsx'

export async function generateMetadata(): Promise<Metadata> {
  return { title: (await getTranslations('admin'))('title') }
}

/** The house: who may do what, and which engines run. */
export default async function AdminPage({ params }: { params: Promise<{ locale: string }> }) {
  const { locale } = await params
  setRequestLocale(locale)
  const person = await requireRole(locale, localised(locale, '/admin'), 'admin')
  const [t, format, people, health, machine] = await Promise.all([
    getTranslations('admin'),
    getFormatter(),
    services().people.list(person),
    services().health(),
    services().machine(),
  ])
  const roles = { learner: t('learner'), instructor: t('instructor'), admin: t('administrator') }
  const facts = {
    memory: t('factMemory'),
    cpus: t('factCpus'),
    disk: t('factDisk'),
    cgroup: t('factCgroup'),
    inotify: t('factInotify'),
    jail: t('factJail'),
    docker: t('factDocker'),
    kind: t('factKind'),
  }
  return (
    <main id="main" className="page">
      <h1 className="page-title">{t('title')}</h1>
      <p className="sign-lead">{t('lead', { version: health.version, sandboxes: health.sandboxes })}</p>
      <section className="report-section" aria-labelledby="people">
        <h2 id="people">{t('people')}</h2>
        <div className="table-scroll">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t('name')}</th>
                <th scope="col">{t('email')}</th>
                <th scope="col">{t('since')}</th>
                <th scope="col">{t('role')}</th>
              </tr>
            </thead>
            <tbody>
              {people.map((each) => (
                <tr key={each.id}>
                  <td>{each.name}</td>
                  <td>{each.email ?? <span className="label">{t('guest')}</span>}</td>
                  <td>{format.dateTime(new Date(each.createdAt), { dateStyle: 'medium' })}</td>
                  <td>
                    {each.guest ? (
                      roles.learner
                    ) : (
                      <RoleSelect id={each.id} role={each.role} label={t('roleOf', { name: each.name })} names={roles} />
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
      <section className="report-section" aria-labelledby="machine">
        <h2 id="machine">{t('machine')}</h2>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: nothing in it takes the keyboard, and it scrolls on a narrow screen */}
        <div className="table-scroll" tabIndex={0}>
          <table className="table">
            <tbody>
              {machine.map(({ name, value, problem }) => (
                <tr key={name}>
                  <th scope="row">{facts[name]}</th>
                  <td>
                    <code>{value || '–'}</code>
                    {problem ? <p className="label">{spoken(problem, locale)}</p> : null}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
      <section className="report-section" aria-labelledby="engines">
        <h2 id="engines">{t('engines')}</h2>
        {Object.entries(health.engines).map(([name, engine]) => (
          <div key={name} className="engine">
            <h3>{name}</h3>
            <ul>
              {byReason(engine.capabilities).map(({ names, missing }) => (
                <li key={names[0]} data-has={missing === null}>
                  <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" className="sign">
                    {missing === null ? (
                      <path d="M2.500 8.500l3.500 3.500 7.500-8" fill="none" stroke="currentColor" strokeWidth="2" />
                    ) : (
                      <path d="M3 8h10" stroke="currentColor" strokeWidth="2" />
                    )}
                  </svg>
                  <code>{names.join(' ')}</code> <span className="label">{missing === null ? t('has') : spoken(missing, locale)}</span>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </section>
    </main>
  )
}

/** Capabilities that are there, and those that are missing for one reason, together. */
function byReason(capabilities: Record<string, true | Text>): { names: string[]; missing: Text | null }[] {
  const groups = Map.groupBy(Object.entries(capabilities), ([, has]) => (has === true ? '' : has.en))
  return [...groups.values()].map((group) => {
    const has = group[0]![1]
    return { names: group.map(([name]) => name), missing: has === true ? null : has }
  })
}
