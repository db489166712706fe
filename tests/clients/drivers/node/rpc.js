// What the Node drivers share: one operation for each line of JSON on stdin, one line for its result on stdout.

import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const TAKE_MILLISECONDS = 15_000

export const encode = buffer => buffer?.toString('base64') ?? null
export const decode = text => (text === null ? null : Buffer.from(text, 'base64'))

const say = message => process.stdout.write(`${JSON.stringify(message)}\n`)

export async function serve(client, operations, errorCode) {
  say({ client })
  for await (const line of createInterface({ input: process.stdin })) {
    const { op, ...args } = JSON.parse(line)
    try {
      say({ result: (await operations[op](args)) ?? null })
    } catch (error) {
      console.error(error)
      say({ error: errorCode(error), message: String(error.message) })
    }
  }
  process.exit()
}

// Collects so many records, or as many as come in time.
export class Taker {
  records = []
  #enough = Promise.withResolvers()

  constructor(count) {
    this.count = count
  }

  take(record) {
    if (this.records.length < this.count) {
      this.records.push(record)
    }
    if (this.records.length === this.count) {
      this.#enough.resolve()
    }
  }

  async finish() {
    await Promise.race([this.#enough.promise, sleep(TAKE_MILLISECONDS, undefined, { ref: false })])
    return this.records
  }

  // The offsets to commit: those after the last record of each partition.
  positions() {
    return new Map(this.records.map(record => [record.partition, record.offset + 1]))
  }
}
