import type { Schema } from '../../schema/index.ts'

export type Fields = Record<string, unknown>

/** One valid object of a kind, with as many of its fields in use as go together. Its mutations are what is compared. */
export interface Specimen {
  /** What it is called in the cases' titles, where a kind has several. */
  title: string
  apiVersion: string
  kind: string
  resource: string
  namespaced: boolean
  /** False: only made (reviews). */
  stored: boolean
  body: Fields
  /** Of a custom resource. */
  schema?: Schema
}

/** A specimen of a namespaced kind called `one`. */
export function namespaced(apiVersion: string, kind: string, resource: string, body: Fields, title = kind): Specimen {
  return { title, apiVersion, kind, resource, namespaced: true, stored: true, body: named(apiVersion, kind, body) }
}

export function clusterWide(apiVersion: string, kind: string, resource: string, body: Fields, title = kind): Specimen {
  return { ...namespaced(apiVersion, kind, resource, body, title), namespaced: false }
}

export function review(apiVersion: string, kind: string, resource: string, body: Fields, isNamespaced = false): Specimen {
  return { title: kind, apiVersion, kind, resource, namespaced: isNamespaced, stored: false, body: { apiVersion, kind, ...body } }
}

function named(apiVersion: string, kind: string, body: Fields): Fields {
  return { apiVersion, kind, ...body, metadata: { name: 'one', ...(body['metadata'] as Fields | undefined) } }
}
