// What the schemas of the control API have in common.
import { z } from 'zod'

export const count: z.ZodType<number> = z.number().nonnegative()
