// kafkajs

import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { lz4Compress, lz4Decompress } from '@platformatic/wasm-utils'
import kafkajs from 'kafkajs'
import snappy from 'kafkajs-snappy'
import { Taker, decode, encode, serve } from './rpc.js'

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs
const TYPES = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD
}
// kafkajs itself has gzip alone and takes the others as plugins
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = codec(lz4Compress, lz4Decompress)
CompressionCodecs[CompressionTypes.ZSTD] = codec(zstdCompressSync, zstdDecompressSync)

const TOPIC_ALREADY_EXISTS = 36

function codec(compress, decompress) {
  return () => ({
    compress: async encoder => Buffer.from(compress(encoder.buffer)),
    decompress: async buffer => Buffer.from(decompress(buffer))
  })
}

const kafka = new Kafka({
  brokers: [process.argv[2]],
  logLevel: logLevel.WARN,
  retry: { initialRetryTime: 100 },
  logCreator: () => ({ namespace, log }) => console.error(namespace, JSON.stringify(log))
})
const members = new Map()
const admin = kafka.admin()

async function newConsumer(groupId, topic) {
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: 6000,
    rebalanceTimeout: 6000,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 100
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  return consumer
}

function outgoing({ partition, timestamp, key, value, headers }) {
  const message = { key: decode(key), value: decode(value), headers: {} }
  for (const [name, content] of headers) {
    message.headers[name] = [...(message.headers[name] ?? []), decode(content)]
  }
  if (partition !== null) {
    message.partition = partition
  }
  if (timestamp !== null) {
    message.timestamp = String(timestamp)
  }
  return message
}

function received(partition, { offset, timestamp, key, value, headers }) {
  return {
    partition,
    offset: Number(offset),
    timestamp: Number(timestamp),
    key: encode(key),
    value: encode(value),
    headers: Object.entries(headers).flatMap(([name, contents]) =>
      [contents].flat().map(content => [name, encode(content)])
    )
  }
}

const operations = {
  async create_topic({ topic, partitions, configs }) {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    const created = await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }] })
    if (!created) {
      // kafkajs shows this one error in its result
      throw Object.assign(new Error('createTopics resolved to false'), { code: TOPIC_ALREADY_EXISTS })
    }
  },

  async produce({ topic, records, codec, idempotent }) {
    const producer = kafka.producer({ idempotent })
    await producer.connect()
    try {
      await producer.send({ topic, acks: -1, compression: TYPES[codec], messages: records.map(outgoing) })
    } finally {
      await producer.disconnect()
    }
  },

  // kafkajs fetches in groups only
  async fetch({ topic, partition, offset, count }) {
    const consumer = await newConsumer(randomUUID(), topic)
    const taker = new Taker(count)
    await consumer.run({
      autoCommit: false,
      eachMessage: async from => {
        if (from.partition === partition && Number(from.message.offset) >= offset) {
          taker.take(received(from.partition, from.message))
        }
      }
    })
    consumer.seek({ topic, partition, offset: String(offset) })
    const records = await taker.finish()
    await consumer.disconnect()
    return records
  },

  async offset_for_time({ topic, partition, timestamp }) {
    const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)
    return Number(offsets.find(found => found.partition === partition).offset)
  },

  async consume({ group, topic, count }) {
    const consumer = await newConsumer(group, topic)
    const taker = new Taker(count)
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => taker.take(received(partition, message))
    })
    const records = await taker.finish()
    const positions = [...taker.positions()]
    await consumer.commitOffsets(
      positions.map(([partition, offset]) => ({ topic, partition, offset: String(offset) }))
    )
    await consumer.disconnect()
    return records
  },

  async join({ member, group, topic }) {
    const consumer = await newConsumer(group, topic)
    const state = { consumer, partitions: [], records: [] }
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      state.partitions = payload.memberAssignment[topic] ?? []
    })
    consumer.on(consumer.events.REBALANCING, () => {
      state.partitions = []
    })
    await consumer.run({
      eachMessage: async ({ partition, message }) => state.records.push(received(partition, message))
    })
    members.set(member, state)
  },

  async state({ member }) {
    const { partitions, records } = members.get(member)
    return { partitions, records: records.splice(0) }
  },

  async leave({ member }) {
    await members.get(member).consumer.disconnect()
    members.delete(member)
  },

  async describe_cluster() {
    const { brokers, controller } = await admin.describeCluster()
    return { nodes: brokers.map(({ nodeId, host, port }) => [nodeId, host, port]), controller }
  },

  list_topics: () => admin.listTopics(),

  async describe_topic({ topic }) {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0].partitions.map(({ partitionId }) => partitionId)
  },

  async describe_configs({ topic }) {
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
    const { configEntries } = resources[0]
    return Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue]))
  },

  async alter_config({ topic, name, value }) {
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }
    await admin.alterConfigs({ validateOnly: false, resources: [resource] })
    return { incremental: false }
  },

  async create_partitions({ topic, count }) {
    await admin.createPartitions({ topicPartitions: [{ topic, count }] })
  },

  async list_groups() {
    const { groups } = await admin.listGroups()
    return groups.map(({ groupId }) => groupId)
  },

  async describe_group({ group }) {
    const { groups } = await admin.describeGroups([group])
    return { state: groups[0].state, members: groups[0].members.length }
  },

  async group_offsets({ group, topic }) {
    const [{ partitions }] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    return partitions.map(({ partition, offset }) => [partition, Number(offset)])
  },

  async delete_records({ topic, partition, offset }) {
    // the call below looks for the leader only among topics that the admin client has asked for
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
    const offsets = await admin.fetchTopicOffsets(topic)
    return Number(offsets.find(found => found.partition === partition).low)
  },

  async delete_group({ group }) {
    await admin.deleteGroups([group])
  },

  async delete_topic({ topic }) {
    await admin.deleteTopics({ topics: [topic] })
  }
}

// The error of a broker is within those that tell of retries or of several topics.
function errorCode(error) {
  const inner = [error.cause, ...(error.errors ?? [])].filter(Boolean)
  return error.code ?? inner.map(errorCode).find(Number.isInteger) ?? null
}

const { version } = createRequire(import.meta.url)('kafkajs/package.json')
await admin.connect()
await serve(`kafkajs ${version}`, operations, errorCode)
