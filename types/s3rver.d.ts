// The part of s3rver that the tests use: an S3-compatible server over a folder, in this process.
declare module 's3rver' {
  export default class S3rver {
    constructor(options: {
      readonly address: string
      readonly port: number
      readonly silent: boolean
      readonly directory: string
      readonly configureBuckets?: readonly { readonly name: string; readonly configs?: readonly string[] }[]
    })
    readonly store: {
      putObject(object: { readonly bucket: string; readonly key: string }): Promise<{ readonly size: number }>
    }
    run(): Promise<{ readonly port: number }>
    close(): Promise<void>
  }
}
