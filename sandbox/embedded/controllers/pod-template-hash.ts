import { safeLetters } from '../machinery/random.ts'
import type { PodTemplateSpec } from '../schema/types/core.v1.ts'
import { podTemplateText } from './go-text.ts'

/**
 * The value of the pod-template-hash label: FNV-1a of the template (and of the collision count, where there has been a
 * collision) in letters that spell no words, as kube-controller-manager writes it.
 */
export function podTemplateHash(template: PodTemplateSpec, collisionCount?: number): string {
  return safeEncode(String(fnv1a(podTemplateText(template), collisionCount)))
}

/** 32-bit FNV-1a of a text's UTF-8 and, if given, a number as eight little-endian bytes. */
function fnv1a(text: string, suffix?: number): number {
  let hash = 0x811c9dc5
  const mix = (byte: number) => {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  }
  for (const byte of new TextEncoder().encode(text)) mix(byte)
  if (suffix !== undefined) for (let index = 0; index < 8; index++) mix(index < 4 ? (suffix >>> (8 * index)) & 0xff : 0)
  return hash
}

/** 32-bit FNV-1 of a text's UTF-8. */
export function fnv1(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0
  return hash
}

/** Digits in the letters of generated names. */
export function safeEncode(text: string): string {
  return Array.from(text, (character) => safeLetters[character.charCodeAt(0) % safeLetters.length]).join('')
}
