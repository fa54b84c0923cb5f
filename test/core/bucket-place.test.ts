import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  bucketPlaceOf,
  isBucketPlace,
  parseBucketPlace,
  showBucketPlace,
} from '../../src/core/bucket-place.js'

test('a place is a bucket and what its keys begin with, and is written as it is read', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['s3://backups', 'backups', ''],
    ['s3://backups/', 'backups', ''],
    ['s3://my.backups-1/shoal/projects', 'my.backups-1', 'shoal/projects'],
    ['s3://backups/a_b/c.d/', 'backups', 'a_b/c.d'],
  ]
  for (const [text, bucket, prefix] of cases) {
    const place = bucketPlaceOf(text)
    assert.deepEqual(place, { bucket, prefix }, text)
    assert.deepEqual(bucketPlaceOf(showBucketPlace(place)), place)
  }
  assert.equal(isBucketPlace('S3://x'), true)
  assert.equal(isBucketPlace('/srv/s3://x'), false)
})

test('what is none is told of without quoting it: it may hold credentials', () => {
  for (const text of [
    's3://',
    's3://ab',
    's3://Backups',
    's3://-backups',
    's3://a..b/c',
    's3://backups//x',
    's3://backups/../x',
    's3://backups/a b',
    's3://backups/ü',
    `s3://backups/${'x/'.repeat(500)}y`,
    's3://CANARYKEY:CANARYSECRET@backups/x',
    'http://backups',
    '/srv/backups',
  ]) {
    const found = parseBucketPlace(text)
    assert.ok('fault' in found, text)
    assert.doesNotMatch(found.fault, /CANARY/)
    assert.throws(() => bucketPlaceOf(text), { code: 'USAGE' })
  }
})
