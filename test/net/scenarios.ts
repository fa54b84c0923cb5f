// All scenarios, in the order of docs/network.md.
import type { Scenario } from './scenario.js'
import { links, natKinds } from './scenarios/self.js'

export const SCENARIOS: readonly Scenario[] = [natKinds, links]
