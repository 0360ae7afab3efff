import { notFound } from 'next/navigation'

/** Whatever has no page of its own is answered inside the house, in the reader's language. */
export default function NowherePage() {
  notFound()
}
