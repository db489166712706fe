package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/drivers/rpc"
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func (d *driver) produce(a rpc.Args) (any, error) {
	options := []kgo.Opt{
		kgo.ProducerBatchCompression(codecs[a.Codec]),
		kgo.ProducerBatchMaxBytes(4_000_000),
		kgo.AllowAutoTopicCreation(),
		kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}),
	}
	if !a.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := d.client(options...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	records := make([]*kgo.Record, len(a.Records))
	for i, record := range a.Records {
		records[i] = outgoing(a.Topic, record)
	}
	places := make([]rpc.Place, len(records))
	for i, result := range client.ProduceSync(context.Background(), records...) {
		if result.Err != nil {
			return nil, result.Err
		}
		places[i] = rpc.Place{int64(records[i].Partition), records[i].Offset}
	}
	return places, nil
}

// unassigned is the partition of a record for which the client is to choose one.
const unassigned = -1

// partitioner leaves the choice to another one where none is made; franz-go has partitioners for all or for none.
type partitioner struct {
	kgo.Partitioner
}

type topicPartitioner struct {
	kgo.TopicPartitioner
}

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.Partitioner.ForTopic(topic)}
}

func (p topicPartitioner) Partition(record *kgo.Record, count int) int {
	if record.Partition == unassigned {
		return p.TopicPartitioner.Partition(record, count)
	}
	return int(record.Partition)
}

func outgoing(topic string, record rpc.Record) *kgo.Record {
	sent := &kgo.Record{Topic: topic, Key: record.Key, Value: record.Value, Partition: unassigned}
	if record.Partition != nil {
		sent.Partition = *record.Partition
	}
	if record.Timestamp != nil {
		sent.Timestamp = time.UnixMilli(*record.Timestamp)
	}
	for _, header := range record.Headers {
		sent.Headers = append(sent.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
	}
	return sent
}

func received(record *kgo.Record) rpc.Record {
	timestamp := record.Timestamp.UnixMilli()
	headers := []rpc.Header{}
	for _, header := range record.Headers {
		headers = append(headers, rpc.Header{Name: header.Key, Value: header.Value})
	}
	return rpc.Record{
		Partition: &record.Partition, Offset: record.Offset, Timestamp: &timestamp,
		Key: record.Key, Value: record.Value, Headers: headers,
	}
}

// take polls so many records, or as many as come in time.
func take(client *kgo.Client, count int) ([]*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), rpc.TakeTime)
	defer cancel()
	var records []*kgo.Record
	for len(records) < count && ctx.Err() == nil {
		fetches := client.PollRecords(ctx, count-len(records))
		if err := fetches.Err(); err != nil && ctx.Err() == nil {
			return nil, err
		}
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

func allReceived(records []*kgo.Record) []rpc.Record {
	all := []rpc.Record{}
	for _, record := range records {
		all = append(all, received(record))
	}
	return all
}

func (d *driver) fetch(a rpc.Args) (any, error) {
	client, err := d.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		a.Topic: {a.Partition: kgo.NewOffset().At(a.Offset)},
	}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	records, err := take(client, a.Count)
	return allReceived(records), err
}

func (d *driver) offsetForTime(a rpc.Args) (any, error) {
	listed, err := d.admin.ListOffsetsAfterMilli(context.Background(), a.Timestamp, a.Topic)
	if err != nil {
		return nil, err
	}
	found, known := listed.Lookup(a.Topic, a.Partition)
	if !known {
		return nil, fmt.Errorf("no answer for partition %d", a.Partition)
	}
	return found.Offset, found.Err
}
