// @platformatic/kafka

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  Admin, ConfigResourceTypes, Consumer, IncrementalAlterConfigOperationTypes, ProduceAcks, Producer
} from '@platformatic/kafka'
import { Taker, decode, encode, serve } from './rpc.js'

const common = { clientId: 'matrix', bootstrapBrokers: [process.argv[2]] }
const admin = new Admin(common)
const members = new Map()

function newConsumer(groupId, options) {
  return new Consumer({
    ...common,
    groupId,
    sessionTimeout: 6000,
    rebalanceTimeout: 6000,
    heartbeatInterval: 500,
    maxWaitTime: 100,
    autocommit: false,
    ...options
  })
}

function outgoing(topic, { partition, timestamp, key, value, headers }) {
  return {
    topic,
    key: decode(key) ?? undefined,
    value: decode(value) ?? undefined,
    headers: new Map(headers.map(([name, content]) => [Buffer.from(name), decode(content)])),
    ...(partition === null ? {} : { partition }),
    ...(timestamp === null ? {} : { timestamp: BigInt(timestamp) })
  }
}

function received({ partition, offset, timestamp, key, value, headerEntries }) {
  return {
    partition,
    offset: Number(offset),
    timestamp: Number(timestamp),
    key: encode(key),
    value: encode(value),
    headers: headerEntries.map(([name, content]) => [name.toString(), encode(content)])
  }
}

const topicResource = topic => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic })

const operations = {
  async create_topic({ topic, partitions, configs }) {
    const list = Object.entries(configs).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: list })
  },

  async produce({ topic, records, codec, idempotent }) {
    const producer = new Producer({ ...common, autocreateTopics: true, idempotent })
    const messages = records.map(record => outgoing(topic, record))
    try {
      await producer.send({ messages, acks: ProduceAcks.ALL, compression: codec })
    } finally {
      await producer.close()
    }
  },

  // streams are those of groups
  async fetch({ topic, partition, offset, count }) {
    const consumer = newConsumer(randomUUID())
    const metadata = await consumer.metadata({ topics: [topic] })
    const offsets = metadata.topics.get(topic).partitions.map((_, index) => ({
      topic, partition: index, offset: BigInt(index === partition ? offset : 0)
    }))
    const stream = await consumer.consume({ topics: [topic], mode: 'manual', offsets })
    const taker = new Taker(count)
    stream.on('data', message => {
      if (message.partition === partition) {
        taker.take(received(message))
      }
    })
    const records = await taker.finish()
    await consumer.close(true)
    return records
  },

  async offset_for_time({ topic, partition, timestamp }) {
    const listed = await admin.listOffsets({
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: BigInt(timestamp) }] }]
    })
    return Number(listed[0].partitions[0].offset)
  },

  async consume({ group, topic, count }) {
    const consumer = newConsumer(group)
    const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' })
    const taker = new Taker(count)
    stream.on('data', message => taker.take(received(message)))
    const records = await taker.finish()
    await consumer.commit({
      offsets: [...taker.positions()].map(([partition, offset]) => (
        { topic, partition, offset: BigInt(offset), leaderEpoch: -1 }
      ))
    })
    await consumer.close(true)
    return records
  },

  async join({ member, group, topic, assignor }) {
    const consumer = newConsumer(group, { autocommit: 200, protocols: [{ name: assignor, version: 1 }] })
    const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' })
    const state = { consumer, stream, partitions: [], records: [], failure: null }
    const assigned = () => {
      state.partitions = consumer.assignments.flatMap(({ partitions }) => partitions)
    }
    assigned()
    // after each rebalance the stream goes back to the committed offsets, which takes a moment
    consumer.on('consumer:group:join', () => {
      state.partitions = []
    })
    stream.on('offsets', assigned)
    stream.on('data', message => state.records.push(received(message)))
    // one that leaves in the middle of a rebalance reports the end of its own connection
    consumer.on('error', error => {
      state.failure ??= error
    })
    members.set(member, state)
  },

  async state({ member }) {
    const { partitions, records, failure } = members.get(member)
    if (failure) {
      throw failure
    }
    return { partitions, records: records.splice(0) }
  },

  async leave({ member }) {
    const { consumer, stream } = members.get(member)
    await stream.close()
    await consumer.close()
    members.delete(member)
  },

  async describe_cluster() {
    const { brokers, controllerId } = await admin.metadata({ topics: [] })
    return { nodes: [...brokers].map(([node, { host, port }]) => [node, host, port]), controller: controllerId }
  },

  list_topics: () => admin.listTopics(),

  async describe_topic({ topic }) {
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
    return [...topics.get(topic).partitions.keys()]
  },

  async describe_configs({ topic }) {
    const [{ configs }] = await admin.describeConfigs({ resources: [topicResource(topic)] })
    return Object.fromEntries(configs.map(({ name, value }) => [name, value]))
  },

  async alter_config({ topic, name, value }) {
    const configs = [{ name, value, configOperation: IncrementalAlterConfigOperationTypes.SET }]
    await admin.incrementalAlterConfigs({ resources: [{ ...topicResource(topic), configs }] })
    return { incremental: true }
  },

  async create_partitions({ topic, count }) {
    await admin.createPartitions({ topics: [{ name: topic, count }] })
  },

  list_groups: async () => [...(await admin.listGroups()).keys()],

  async describe_group({ group }) {
    const { state, members } = (await admin.describeGroups({ groups: [group] })).get(group)
    return { state: state[0] + state.slice(1).toLowerCase(), members: members.size }
  },

  async group_offsets({ group, topic }) {
    const [{ topics }] = await admin.listConsumerGroupOffsets({ groups: [group] })
    const { partitions } = topics.find(({ name }) => name === topic)
    return partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, Number(committedOffset)]).sort()
  },

  async delete_records({ topic, partition, offset }) {
    const deleted = await admin.deleteRecords({
      topics: [{ name: topic, partitions: [{ partition, offset: BigInt(offset) }] }]
    })
    return Number(deleted[0].partitions[0].lowWatermark)
  },

  async delete_group_offsets({ group, topic, partition }) {
    await admin.deleteConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionIndexes: [partition] }] })
  },

  async delete_group({ group }) {
    await admin.deleteGroups({ groups: [group] })
  },

  async delete_topic({ topic }) {
    await admin.deleteTopics({ topics: [topic] })
  }
}

const UNKNOWN_TOPIC_OR_PARTITION = 3

// The error of a broker is within those that tell of retries or of several requests. One is shown in words alone.
function errorCode(error) {
  if (error.message.startsWith('Unknown topic ')) {
    return UNKNOWN_TOPIC_OR_PARTITION
  }
  const inner = [error.cause, ...(error.errors ?? [])].filter(Boolean)
  return error.apiCode ?? inner.map(errorCode).find(Number.isInteger) ?? null
}

const entry = import.meta.resolve('@platformatic/kafka')
const { version } = JSON.parse(readFileSync(new URL('../package.json', entry)))
await serve(`@platformatic/kafka ${version}, node ${process.version}`, operations, errorCode)
