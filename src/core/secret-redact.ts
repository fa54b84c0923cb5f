// The last line of defence against a secret in a log, a message or an answer: what looks like one is cut after its
// prefix. It knows the text forms of Shoal (any case, even damaged), of its invites and of BitTorrent Sync; raw keys have no form to
// know them by and are kept out by the callers (and by `guarded`, keys.ts).
const SHOAL_SECRET = /(shoal[wrb]1)[0-9a-z]{6,}/gi
const BTSYNC_SECRET = /(?<![A-Z2-7])([A-FR])[A-Z2-7]{32}(?:[A-Z2-7]{32})?(?![A-Z2-7])/g

const INVITE = /(?<![0-9a-z])(p)[0-9ac-z]{4}(?:[ -]?[0-9ac-z]{5}){5}(?![0-9a-z])/gi

/** The text with everything that looks like a secret cut short: `shoalw1[secret]`, `A[secret]`, `p[invite]`. */
export function redactSecrets(text: string): string {
  return text
    .replace(SHOAL_SECRET, '$1[secret]')
    .replace(BTSYNC_SECRET, '$1[secret]')
    .replace(INVITE, '$1[invite]')
}
