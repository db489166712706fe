package main

import (
	"errors"
	"time"

	"github.com/IBM/sarama"

	"ottla/drivers/rpc"
)

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func (d *driver) produce(a rpc.Args) (any, error) {
	config := config()
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Compression = codecs[a.Codec]
	config.Producer.MaxMessageBytes = 4_000_000
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = func(topic string) sarama.Partitioner {
		return partitioner{sarama.NewHashPartitioner(topic)}
	}
	if a.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	client, err := connectedClient(d.brokers, config)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	producer, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	messages := make([]*sarama.ProducerMessage, len(a.Records))
	for i, record := range a.Records {
		messages[i] = outgoing(a.Topic, record)
	}
	if err := producer.SendMessages(messages); err != nil {
		return nil, err.(sarama.ProducerErrors)[0].Err
	}
	places := make([]rpc.Place, len(messages))
	for i, message := range messages {
		places[i] = rpc.Place{int64(message.Partition), message.Offset}
	}
	return places, nil
}

// connectedClient opens the connections to the brokers. A producer that finds one not open yet takes it for broken,
// closes it when it is open and sends again what it sent already.
func connectedClient(brokers []string, config *sarama.Config) (sarama.Client, error) {
	client, err := sarama.NewClient(brokers, config)
	if err != nil {
		return nil, err
	}
	for _, broker := range client.Brokers() {
		if err := broker.Open(config); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
			return nil, err
		}
		if _, err := broker.Connected(); err != nil {
			return nil, err
		}
	}
	return client, nil
}

// unassigned is the partition of a message for which the client is to choose one.
const unassigned = -1

// partitioner leaves the choice to another one where none is made; sarama has partitioners for all or for none.
type partitioner struct {
	sarama.Partitioner
}

func (p partitioner) Partition(message *sarama.ProducerMessage, count int32) (int32, error) {
	if message.Partition == unassigned {
		return p.Partitioner.Partition(message, count)
	}
	return message.Partition, nil
}

func outgoing(topic string, record rpc.Record) *sarama.ProducerMessage {
	sent := &sarama.ProducerMessage{Topic: topic, Partition: unassigned}
	if record.Key != nil {
		sent.Key = sarama.ByteEncoder(record.Key)
	}
	if record.Value != nil {
		sent.Value = sarama.ByteEncoder(record.Value)
	}
	if record.Partition != nil {
		sent.Partition = *record.Partition
	}
	if record.Timestamp != nil {
		sent.Timestamp = time.UnixMilli(*record.Timestamp)
	}
	for _, header := range record.Headers {
		sent.Headers = append(sent.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
	}
	return sent
}

func received(message *sarama.ConsumerMessage) rpc.Record {
	timestamp := message.Timestamp.UnixMilli()
	headers := []rpc.Header{}
	for _, header := range message.Headers {
		headers = append(headers, rpc.Header{Name: string(header.Key), Value: header.Value})
	}
	return rpc.Record{
		Partition: &message.Partition, Offset: message.Offset, Timestamp: &timestamp,
		Key: message.Key, Value: message.Value, Headers: headers,
	}
}

func (d *driver) fetch(a rpc.Args) (any, error) {
	consumer, err := sarama.NewConsumer(d.brokers, config())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(a.Topic, a.Partition, a.Offset)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	records := []rpc.Record{}
	end := time.After(rpc.TakeTime)
	for len(records) < a.Count {
		select {
		case message := <-partition.Messages():
			records = append(records, received(message))
		case <-end:
			return records, nil
		}
	}
	return records, nil
}

func (d *driver) offsetForTime(a rpc.Args) (any, error) {
	return d.client.GetOffset(a.Topic, a.Partition, a.Timestamp)
}
