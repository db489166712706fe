// The driver of sarama.
package main

import (
	"errors"
	"log"
	"os"
	"time"

	"github.com/IBM/sarama"

	"ottla/drivers/rpc"
)

type driver struct {
	brokers []string
	client  sarama.Client
	admin   sarama.ClusterAdmin
	members rpc.Members
}

func main() {
	sarama.Logger = log.New(os.Stderr, "", log.LstdFlags)
	d := &driver{brokers: os.Args[1:2]}
	var err error
	if d.client, err = sarama.NewClient(d.brokers, config()); err != nil {
		log.Fatal(err)
	}
	if d.admin, err = sarama.NewClusterAdmin(d.brokers, config()); err != nil {
		log.Fatal(err)
	}
	rpc.Serve(
		[]string{"github.com/IBM/sarama"},
		map[string]rpc.Operation{
			"create_topic":         d.createTopic,
			"produce":              d.produce,
			"fetch":                d.fetch,
			"offset_for_time":      d.offsetForTime,
			"consume":              d.consume,
			"join":                 d.join,
			"state":                d.members.State,
			"leave":                d.members.Leave,
			"describe_cluster":     d.describeCluster,
			"list_topics":          d.listTopics,
			"describe_topic":       d.describeTopic,
			"describe_configs":     d.describeConfigs,
			"alter_config":         d.alterConfig,
			"create_partitions":    d.createPartitions,
			"list_groups":          d.listGroups,
			"describe_group":       d.describeGroup,
			"group_offsets":        d.groupOffsets,
			"delete_records":       d.deleteRecords,
			"delete_group_offsets": d.deleteGroupOffsets,
			"delete_group":         d.deleteGroup,
			"delete_topic":         d.deleteTopic,
		},
		errorCode,
	)
}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	return config
}

func errorCode(err error) *int16 {
	var answer sarama.KError
	if errors.As(err, &answer) {
		code := int16(answer)
		return &code
	}
	return nil
}
