// All scenarios, in the order of docs/network.md.
import type { Scenario } from './scenario.js'
import { matrix } from './scenarios/matrix.js'
import { links, natKinds } from './scenarios/self.js'

export const SCENARIOS: readonly Scenario[] = [natKinds, links, ...matrix]
