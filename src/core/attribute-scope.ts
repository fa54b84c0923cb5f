// Which extended attributes a node carries: patterns of names with `*` for any characters.
import type { AttributeScope } from './raw-attributes.js'

const cache = new Map<string, RegExp>()

/** Whether a name (no ACL's) is among those that a scope's patterns allow. */
export function isXattrInScope({ xattrs }: AttributeScope, name: string): boolean {
  return xattrs.some((pattern) => expressionOf(pattern).test(name))
}

/** Whether a node with this scope looks at any attribute at all. */
export function isScopeEmpty({ acls, xattrs }: AttributeScope): boolean {
  return !acls && xattrs.length === 0
}

function expressionOf(pattern: string): RegExp {
  let expression = cache.get(pattern)
  if (expression === undefined) {
    const text = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
    expression = new RegExp(`^${text.join('.*')}$`, 's')
    cache.set(pattern, expression)
  }
  return expression
}
