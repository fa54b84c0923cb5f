// What a source of pieces rejects with when it was asked for more bytes than whoever asked reckoned with: nothing was read, and
// nothing is wrong with the pieces.

export class TooManyBytes extends Error {
  constructor(bytes: number, maxBytes: number) {
    super(`pieces of ${bytes} bytes where ${maxBytes} were reckoned with`)
  }
}
