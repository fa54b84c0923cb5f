// Exit codes that are answers. Those of failures stand in core/error.ts, all above; docs/cli.md lists both, and a test
// compares them with it. Scripts rely on them: they are never given another meaning.

/** What each says; docs/cli.md says of which commands. */
export const EXIT = {
  done: 0,
  /** The answer is no: something is wrong, left or failed that was asked for. */
  no: 1,
  /** This device, or a member that can be reached, is behind; or a share does nothing until somebody looks. */
  behind: 2,
  /** Nobody, or not everybody, can be reached. */
  unreachable: 3,
  /** By SIGINT: what was under way was given up. */
  interrupted: 130,
} as const
