import { defineConfig } from 'drizzle-kit'

/** Used by `npm run db:generate` alone; the server applies what is in platform/migrations by itself. */
export default defineConfig({
  dialect: 'postgresql',
  schema: './platform/schema.ts',
  out: './platform/migrations',
})
