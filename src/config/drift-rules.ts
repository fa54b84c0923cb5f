// The value of `drift`: one policy for all of a folder, or rules by pattern, of which the first that matches decides. A rule
// without `match` is for every path, and so the last.
import { z } from 'zod'
import type { DriftRule } from '../core/drift-rules.js'
import { patternFault } from '../folder/path-patterns.js'
import { wrong } from './values.js'

export const POLICIES = ['report', 'restore'] as const

const PATTERNS = 'a pattern of .gitignore such as "tmp/**", or a list of them'

const pattern = z.string({ error: wrong(PATTERNS) }).superRefine((text, context) => {
  const fault = patternFault(text)
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `is ${fault}, expected ${PATTERNS}` })
})

const rule = z.strictObject(
  {
    match: z.union([pattern, z.array(pattern).min(1)], { error: wrong(PATTERNS) }).optional(),
    policy: z.enum(POLICIES, { error: wrong('"report" or "restore"') }),
  },
  { error: wrong('{"match": PATTERN, "policy": "report" or "restore"}') },
)

const rules = z
  .array(rule, { error: wrong('"report", "restore", or a list of {"match": PATTERN, "policy": POLICY}') })
  .superRefine((list, context) => {
    for (const [at, { match }] of list.entries())
      if (match === undefined && at < list.length - 1)
        context.addIssue({
          code: 'custom',
          path: [at],
          message:
            'has no "match" and so is for every path: the rules after it have no effect, expected it last',
        })
  })

export const driftRules: z.ZodType<readonly DriftRule[]> = z
  .preprocess((value) => (value === 'report' || value === 'restore' ? [{ policy: value }] : value), rules)
  .transform((list) =>
    list.map(({ match, policy }) => ({ match: typeof match === 'string' ? [match] : match, policy })),
  )
