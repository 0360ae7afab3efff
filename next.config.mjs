import createNextIntlPlugin from 'next-intl/plugin'

const withIntl = createNextIntlPlugin('./app/i18n/request.ts')

/** @type {import('next').NextConfig} */
const config = {
  // Types are checked by `npm run lint` with TypeScript 7, whose compiler API Next does not use.
  typescript: { ignoreBuildErrors: true },
  poweredByHeader: false,
  reactStrictMode: true,
  devIndicators: false,
  experimental: { globalNotFound: true },
  serverExternalPackages: [
    '@electric-sql/pglite',
    'better-auth',
    'drizzle-orm',
    'pg',
    'pino',
    'prom-client',
    'node-pty',
    '@lydell/node-pty',
    'mdx-bundler',
    'esbuild',
    'shiki',
  ],
}

export default withIntl(config)
