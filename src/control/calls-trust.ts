// The calls about whether what is held is whole: here, and at others.
import type { Routes } from './route.js'
import {
  type AuditProgress,
  type AuditReport,
  type AuditRequest,
  auditProgress,
  auditReport,
  auditRequest,
  type RehearsalReport,
  type RehearsalRequest,
  rehearsalReport,
  rehearsalRequest,
  type VerifyReport,
  type VerifyRequest,
  verifyReports,
  verifyRequest,
} from './schema-trust.js'

export interface TrustCalls {
  /** What was verified, here and by the word of the other members. */
  verified(): Promise<readonly VerifyReport[]>
  /** Reads all that this node holds of one share, or of all; answers when that is done. NOT_FOUND, SHARE_HALTED. */
  verify(request?: VerifyRequest): Promise<readonly VerifyReport[]>
  /** Has a member prove that it holds a random sample. NOT_FOUND, MEMBER_UNREACHABLE, SHARE_HALTED, USAGE. */
  audit(request: AuditRequest): Promise<AuditReport>
  /** The audits under way. */
  audits(): Promise<readonly AuditProgress[]>
  /** Draws files of this disk to be restored from a member alone. NOT_FOUND, MEMBER_UNREACHABLE, SHARE_HALTED, USAGE. */
  rehearsal(request: RehearsalRequest): Promise<RehearsalReport>
}

export const TRUST_ROUTES: Routes<TrustCalls> = {
  verified: {
    ...{ method: 'GET', path: '/v1/verify', tag: 'trust', input: undefined, answer: verifyReports },
    summary: 'when all that this node holds was read last, and what was damaged; of other members, too',
  },
  verify: {
    ...{ method: 'POST', path: '/v1/verify', tag: 'trust', input: verifyRequest, answer: verifyReports },
    summary: 'read all that this node holds of one share, or of all; answers when that is done',
    takes: '{"share": place in the configuration, from 0}',
  },
  audit: {
    ...{ method: 'POST', path: '/v1/audit', tag: 'trust', input: auditRequest, answer: auditReport },
    summary: 'have a connected member prove that it holds a random sample of the pieces',
    takes:
      '{"share": place in the configuration, from 0, "node": name or id, "confidence": 0.999, "part": 0.001, "sample": COUNT}',
  },
  audits: {
    ...{ method: 'GET', path: '/v1/audit', tag: 'trust', input: undefined, answer: auditProgress },
    summary: 'how far the audits are that are under way',
  },
  rehearsal: {
    ...{
      method: 'POST',
      path: '/v1/rehearsal',
      tag: 'trust',
      input: rehearsalRequest,
      answer: rehearsalReport,
    },
    summary: 'draw files of this disk to be restored from a connected member, and say where that is',
    takes: '{"share": place in the configuration, from 0, "node": name or id, "sample": COUNT}',
  },
}
