// What the control API over TCP is served with: where, to whom, and with which certificate. Values only; the
// configuration makes them ("webui", docs/configuration.md), with the files that its secrets stand in read already.

/** A login's password, as it stands in the configuration. */
export type Password =
  | { readonly type: 'plain'; readonly text: string }
  /** crypt(3) of it. */
  | { readonly type: 'hash'; readonly text: string }

export interface WebSettings {
  /** An IP address, or "localhost". */
  readonly host: string
  /** 0: any free one, for tests. */
  readonly port: number
  /** Names that this machine goes by in the Host header, lower case, besides its addresses and "localhost". */
  readonly hosts: readonly string[]
  /** One of `login` and `apiKey` is there at least; either lets in. */
  readonly login?: { readonly name: string; readonly password: Password }
  readonly apiKey?: string
  /** PEM texts; absent: no TLS. */
  readonly tls?: { readonly certificate: string; readonly privateKey: string }
}
