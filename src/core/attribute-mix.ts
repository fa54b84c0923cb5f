// Whether metadata is on its way from one statement to another: attributes are set one after the other, and an apply that
// is cut off leaves some as they were and some as they were to be. Owner and group come together, the two ACLs and the
// xattrs one by one.
import {
  ACL_TAG,
  type Acl,
  decodeAcl,
  decodeOwner,
  decodeXattrs,
  encodeAcl,
  NO_ACL,
  OWNER_TAG,
  tagOf,
  XATTRS_TAG,
} from './attributes.js'
import type { Extra } from './entry.js'
import { sameExtra } from './entry.js'

type Value = Buffer | undefined

/** Whether each part of a mixture is as one of the two has it. */
export function isMixtureOf(mixture: Extra, from: Extra, to: Extra): boolean {
  if (sameExtra(mixture, from) || sameExtra(mixture, to)) return true
  const tags = new Set([mixture, from, to].flatMap((extra) => extra.map(([tag]) => tag)))
  return [...tags].every((tag) => {
    const values = [tagOf(mixture, tag), tagOf(from, tag), tagOf(to, tag)] as const
    return isOneOf(...values) || (PARTS[tag]?.(...values) ?? false)
  })
}

function isOneOf(value: Value, from: Value, to: Value): boolean {
  return same(value, from) || same(value, to)
}

const PARTS: Readonly<Record<number, (mixture: Value, from: Value, to: Value) => boolean>> = {
  [OWNER_TAG]: (mixture, from, to) => {
    const [owner, before, after] = [mixture, from, to].map((value) => value && decodeOwner(value))
    return (['user', 'group'] as const).every((part) =>
      [before, after].some((other) => {
        const [a, b] = [owner?.[part], other?.[part]]
        return a !== undefined && b !== undefined && a.id === b.id && a.name === b.name
      }),
    )
  },
  [ACL_TAG]: (mixture, from, to) => {
    const [acl, before, after] = [mixture, from, to].map((value) => value && decodeAcl(value))
    return (['access', 'default'] as const).every((part) => {
      const partOf = (of: Acl | undefined): Value => encodeAcl({ ...NO_ACL, [part]: of?.[part] })
      return isOneOf(partOf(acl), partOf(before), partOf(after))
    })
  },
  [XATTRS_TAG]: (mixture, from, to) => {
    const [names, before, after] = [mixture, from, to].map(
      (value) => new Map(value === undefined ? [] : (decodeXattrs(value) ?? [])),
    )
    const all = new Set([...names!.keys(), ...before!.keys(), ...after!.keys()])
    return [...all].every((name) => isOneOf(names!.get(name), before!.get(name), after!.get(name)))
  },
}

function same(a: Value, b: Value): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b)
}
